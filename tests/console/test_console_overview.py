"""The overview: its sums add up, and its links may be opened by the one who reads it."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urljoin

import pytest

from sovproxy.usecases.access.tokens import Role
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


ROLES = (Role.AUDITOR, Role.ANALYST, Role.ADMIN)
MOST = 400


def leads(text, here):
    """The console's own pages that a page links to, each kind of address once."""
    found = {urljoin(here, item).partition("#")[0] for item in addresses(text)}
    return [item for item in found if item.startswith("/console/")]


def sort_of(address):
    """The path and the fields that are asked for: one address stands for all alike."""
    path, _, query = address.partition("?")
    return path, tuple(sorted({name for name, _ in parse_qsl(query)}))


@pytest.mark.parametrize("role", ROLES)
def test_no_page_offers_a_link_that_its_reader_may_not_open(site, role):
    client, seen, refused = site.client(role), set(), {}
    waiting = [("", "/console/?range=7d"), ("", "/console/explain?q=zoom.us")]
    while waiting and len(seen) < MOST:
        before, address = waiting.pop(0)
        if sort_of(address) in seen or "/static/" in address or "/language/" in address:
            continue
        seen.add(sort_of(address))
        answer = client.get(address)
        if answer.status_code in {403, 404}:
            refused[address] = before
        if answer.status_code == 200 and "/catalogue/services/" not in address:
            waiting += [(address, item) for item in leads(answer.text, address)]
    assert refused == {}
    assert len(seen) > 20


def test_who_may_not_see_events_gets_the_figures_without_links(site):
    page = site.client(Role.AUDITOR).get("/console/?range=7d").text
    assert "Zoom" in page
    assert not [item for item in addresses(page) if item.startswith("/console/events")]


def test_a_page_for_another_role_says_who_can_change_that(site):
    answer = site.client(Role.AUDITOR).get("/console/events")
    assert answer.status_code == 403
    said = cells(answer.text)
    assert "Your account's role may not see this; an admin can change it." in said
    assert "token" not in said
