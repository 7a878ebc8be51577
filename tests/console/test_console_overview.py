"""The overview: its sums add up, and its links may be opened by the one who reads it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

from tests.console.test_console_pages import cells


def addresses(text):
    return [html.unescape(item) for item in re.findall(r'href="([^"]+)"', text)]


def test_groups_beyond_the_twentieth_are_one_chip_that_leads_to_all_of_them(empty_site, an_event):
    now = datetime.now(UTC)
    empty_site.deliver([an_event(now, group=f"office-{n:02}") for n in range(23)])
    empty_site.deliver([an_event(now, group="office-00") for _ in range(4)])
    client = empty_site.client()
    page = client.get("/console/").text
    chips = page[page.index('<ul class="chips">') : page.index("</ul></td>")]
    assert cells(chips).endswith("and 3 more 3")
    assert sum(int(n) for n in re.findall(r'class="number">(\d+)', chips)) == 27
    found = client.get(addresses(chips)[-1].partition("#")[0]).text
    assert addresses(chips)[-1].endswith("#facet-group")
    facet = cells(found[found.index('id="facet-group"') :])
    assert [n for n in range(23) if f"office-{n:02}" not in facet] == []


def test_a_facet_that_is_cut_off_leads_to_the_rest_of_it(empty_site, an_event):
    now = datetime.now(UTC)
    empty_site.deliver([an_event(now, group=f"office-{n:02}") for n in range(12)])
    client = empty_site.client()
    page = client.get("/console/events?service=zoom").text
    assert "office-11" not in page[page.index('id="facet-group"') :]
    (more,) = [item for item in addresses(page) if item.endswith("#facet-group")]
    assert "service=zoom" in more
    page = client.get(more.partition("#")[0]).text
    assert "office-11" in page[page.index('id="facet-group"') :]
