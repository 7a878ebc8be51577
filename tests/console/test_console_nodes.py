"""The page of nodes: what needs somebody first, in words and shapes; forgetting one."""

from __future__ import annotations

import re
from contextlib import closing
from html import unescape

import pytest

from sovproxy.usecases.access.tokens import Role

HOSTILE = '"><script>alert(1)</script>\u202e'


def beat(**changes):
    return {
        "node": "proxy-paris-1",
        "version": "0.1.0",
        "mode": "regular",
        "started": "2026-11-23T08:00:00Z",
        "policy": {"id": "eu", "version": "0123456789ab", "problem": ""},
        "inspection": "prompt",
        "data": [{"name": "location", "as_of": "2026-06-17", "stale": True}],
        "spool": {"records": 1234, "bytes": 99999, "oldest": "2026-11-23T08:10:00Z"},
        "counters": {"passed": 4321, "blocked": 17},
        "memory": 123_000_000,
    } | changes


@pytest.fixture
def report(site):
    def send(**changes):
        headers = {"authorization": f"Bearer {site.token(Role.NODE)}"}
        with closing(site.client(role=None, **headers)) as node:
            answer = node.post("/api/v1/fleet/heartbeat", json=beat(**changes))
        assert answer.status_code == 204, answer.text

    return send


def page_of(client, name):
    """The address of the last page of a node with this name."""
    listed = unescape(client.get("/console/nodes").text)
    found = re.findall(rf'href="(/console/nodes/\d+)">{re.escape(name)}<', listed)
    assert found, listed
    return found[-1]


def test_without_nodes_the_page_says_how_to_add_one(empty_site):
    with closing(empty_site.client(Role.AUDITOR)) as reader:
        assert "No node has reported yet" in reader.get("/console/nodes").text


def test_a_node_is_shown_with_what_it_says_and_a_link_to_its_events(site, report):
    report(node="proxy-paris-1")
    with closing(site.client(Role.ANALYST)) as reader:
        listed = reader.get("/console/nodes").text
        assert "proxy-paris-1" in listed
        assert "1,234 records" in listed
        shown = reader.get(page_of(reader, "proxy-paris-1")).text
    assert "4,321" in shown
    assert "/console/events?node=proxy-paris-1" in shown
    assert "117 MiB" in shown
    assert "Forget this node" not in shown


def test_limits_that_were_reached_are_shown_and_others_are_not(site, report):
    report(node="full", counters={"limits": {"head_bytes": 7654, "connections": 0}})
    with closing(site.client(Role.ANALYST)) as reader:
        shown = reader.get(page_of(reader, "full")).text
    assert "Limit reached: head_bytes" in shown
    assert "7,654" in shown
    assert "Limit reached: connections" not in shown


def test_nodes_that_need_somebody_come_first(site, report):
    report(node="a-good-one")
    report(node="z-bad-one", policy={"id": "eu", "version": "x", "problem": "line 3: no"})
    with closing(site.client(Role.ADMIN)) as admin:
        listed = admin.get("/console/nodes").text
    assert listed.index("z-bad-one") < listed.index("a-good-one")
    assert "Needs attention" in listed


def test_two_nodes_under_one_name_are_told(site, report):
    report(node="twice")
    report(node="twice")
    with closing(site.client(Role.ADMIN)) as admin:
        assert "the name is used twice" in admin.get("/console/nodes").text
        assert (
            "Another token reports under the same name" in admin.get(page_of(admin, "twice")).text
        )


def test_hostile_texts_of_a_node_do_no_harm(site, report):
    report(
        node=HOSTILE,
        version=HOSTILE,
        mode=HOSTILE,
        policy=dict.fromkeys(("id", "version", "problem"), HOSTILE),
    )
    with closing(site.client(Role.ADMIN)) as admin:
        listed = admin.get("/console/nodes").text
        pages = re.findall(r'href="(/console/nodes/\d+)"', listed)
        for path in ("/console/nodes", *pages):
            text = admin.get(path).text
            assert "<script>alert" not in text
            assert "\u202e" not in text


def test_an_admin_forgets_a_retired_node(site, report):
    report(node="retired")
    with closing(site.client(Role.ADMIN)) as admin:
        path = page_of(admin, "retired")
        csrf = re.search(r'name="csrf" value="([^"]+)"', admin.get(path).text)
        assert csrf
        assert admin.post(f"{path}/forget", data={"name": "x"}).status_code == 403
        answer = admin.post(f"{path}/forget", data={"csrf": csrf[1], "name": "retired"})
        assert answer.status_code == 303
        shown = admin.get(answer.headers["location"]).text
        assert "Node retired is forgotten." in shown
        assert admin.get(path).status_code == 404


def test_only_an_admin_forgets_nodes(site, report):
    report(node="stays")
    with closing(site.client(Role.ANALYST)) as analyst:
        path = page_of(analyst, "stays")
        csrf = re.search(r'name="csrf" value="([^"]+)"', analyst.get(path).text)
        assert csrf
        answer = analyst.post(f"{path}/forget", data={"csrf": csrf[1]})
        assert answer.status_code == 403
        assert analyst.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/nodes/0", "/nodes/x", "/nodes/99999999999999999999"])
def test_an_odd_number_is_a_page_that_says_so(site, path):
    with closing(site.client(Role.ADMIN)) as admin:
        assert admin.get(f"/console{path}").status_code in {400, 404}


def test_it_is_all_in_french(site, report):
    report(node="nantes")
    with closing(site.client(Role.ADMIN, **{"accept-language": "fr"})) as admin:
        shown = admin.get(page_of(admin, "nantes")).text
    for text in ("Depuis son démarrage", "En vigueur chez lui", "Oublier ce nœud"):
        assert text in shown
