"""A grant for a host never covers more hosts than its text and `below` say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from sovproxy.decide.exceptions import Exceptions, Grant
from sovproxy.usecases.worker.exception_models import ExceptionInput

ME = "2026-11.aaaabbbbccccdddd"


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("host", ["*.com", "*.*.com", "*", "*.zoom.us"])
def test_a_star_in_a_granted_host_covers_no_other_host(host, below):
    grant = Grant("id-1", 1, 200.0, host=host, below=below, client=ME, start=100.0)
    granted = Exceptions.of([grant])
    for other in ("zoom.us", "us02web.zoom.us", "evil.com", "a.evil.com"):
        assert granted.covering("", other, (ME,), "", 150.0) is None, other


@pytest.mark.parametrize(
    "host", ["*.com", "*", "https://*.zoom.us/", "a.*.com", "%2a.com", "*.Com."]
)
def test_nobody_can_ask_for_a_host_with_a_star(host):
    until = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(ValidationError, match="below"):
        ExceptionInput(host=host, reason="They invite us", until=until)
