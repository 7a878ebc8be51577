"""Counted meetings among the candidates: a column that is there only where there are some."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.worker.meetings import MeetingInput, count_meeting

PAGE = "/console/catalogue/candidates"


def test_analysts_see_counted_meetings_beside_the_events(empty_site):
    reader = empty_site.client(Role.ANALYST)
    assert '<th scope="col" class="number">Meetings' not in reader.get(PAGE).text
    now = datetime.now(UTC)
    for _ in range(3):
        told = MeetingInput(host="room.example.org", standing="unknown")
        count_meeting(empty_site.services.store, told, now)
    page = reader.get(PAGE)
    assert page.status_code == 200
    assert "room.example.org" in page.text
    assert '<td class="number" data-label="Meetings">3</td>' in page.text
    row = page.text.partition('<th scope="row">')[2].partition("</tr>")[0]
    assert not re.search(r"\d\d:\d\d", row)  # a day is as fine as it gets
