"""Facets, histogram and overview, on a running server."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Rollup
from sovproxy.usecases.access.tokens import Role

from .conftest import NOW

HOSTILE = "<img src=x onerror=alert(1)>'\"; DROP TABLE tally;-- %_\\"
SOON = NOW + timedelta(minutes=1)


@pytest.fixture
def services_url(store_url):
    """Everything here is asked on each database."""
    return store_url


def rollup(count, minutes=0, **fields):
    values = {
        "start": NOW - timedelta(minutes=minutes),
        "seconds": 60,
        "node": "n",
        "action": Action.ALLOW,
        "rule": "default",
    }
    return Rollup(count=count, **values | fields)


@pytest.fixture
def now_server(serve):
    return serve(clock=lambda: SOON)


def values(answer, facet):
    assert answer.status_code == 200, answer.text
    [found] = [item for item in answer.json()["facets"] if item["by"] == facet]
    return {item["value"]: item["total"] for item in found["items"]}


def test_facets_count_the_top_values_of_every_field(server, make_event):
    server.deliver(
        [make_event(), make_event(asn=1), make_event(group="tax", control=("FR", "US"))],
        [rollup(40, service="visio", group="tax", location="FR", asn=7)],
    )
    answer = server.get("/api/v1/facets")
    assert values(answer, "service") == {"visio": 40, "zoom": 3}
    assert values(answer, "operator") == {"": 40, "zoom": 3}
    assert values(answer, "control") == {"": 40, "US": 3, "FR": 1}
    assert values(answer, "location") == {"FR": 40, "US": 3}
    assert values(answer, "asn") == {"7": 40, "30103": 2, "1": 1}
    assert values(answer, "action") == {"allow": 40, "block": 3}
    assert values(answer, "group") == {"tax": 41, "finance": 2}
    assert values(answer, "node") == {"n": 40, "proxy-1": 3}
    assert values(answer, "standing") == {"unknown": 40, "abroad": 3}
    assert values(answer, "rule") == {"default": 40, "video-abroad": 3}


def test_facets_obey_the_filter_and_name_only_the_chosen_fields(server, make_event):
    server.deliver([make_event(), make_event(service="teams", asn=1)], [rollup(4, service="zoom")])
    answer = server.get("/api/v1/facets", asn=30103, field=["service", "rule"])
    assert [item["by"] for item in answer.json()["facets"]] == ["service", "rule"]
    assert values(answer, "service") == {"zoom": 1}


def test_facets_are_cut_and_say_how_many_values_are_left(server, make_event):
    server.deliver([make_event(rule=f"r{number}") for number in range(25)])
    [facet] = server.get("/api/v1/facets", field="rule", limit=20).json()["facets"]
    assert len(facet["items"]) == 20
    assert facet["others"] == 5


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"location": "US"}, 2),
        ({"location": ""}, 1),
        ({"asn": [1, 30103]}, 2),
        ({"asn": 0}, 1),
        ({"kind": "acknowledgement"}, 1),
        ({"outcome": "closed"}, 1),
        ({"host_contains": "ZOOM"}, 2),
        ({"host_contains": "%"}, 0),
        ({"service": ""}, 1),
        ({"control": ""}, 1),
        ({"service": "zoom", "location": "US", "outcome": ["prompted", "closed"]}, 2),
        ({"host": [".zoom.us", "x.example"]}, 3),
    ],
)
def test_filters_combine_and_find_what_has_no_value(server, make_event, params, wanted):
    bare = {"service": "", "control": (), "location": "", "asn": 0, "host": "x.example"}
    server.deliver(
        [
            make_event(),
            make_event(outcome="closed", asn=1),
            make_event(**bare, kind="acknowledgement", outcome="tunnelled"),
        ]
    )
    answer = server.get("/api/v1/events", **params)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == wanted
    [facet] = server.get("/api/v1/facets", field="node", **params).json()["facets"]
    if params.get("kind") or not any(params.get(name) == value for name, value in bare.items()):
        counted = sum(item["total"] for item in facet["items"])
        assert counted in {wanted, wanted - 1}  # the acknowledgement is no decision


@pytest.mark.parametrize("path", ["events", "facets", "histogram", "overview", "counts?by=rule"])
@pytest.mark.parametrize(
    "params",
    [{"asn": -1}, {"asn": 2**32}, {"kind": "x"}, {"outcome": ""}, {"location": "usa"}, {"x": 1}],
)
def test_every_route_refuses_the_same_bad_filters(server, assert_problem, path, params):
    path, _, extra = path.partition("?by=")
    more = {"by": extra} if extra else {}
    assert_problem(server.get(f"/api/v1/{path}", **params, **more), 422, "invalid-request")


def test_hostile_texts_are_counted_as_the_data_that_they_are(server, make_event):
    event = make_event(service=HOSTILE, group=HOSTILE, rule=HOSTILE, node=HOSTILE)
    server.deliver([event], [rollup(2, service=HOSTILE)])
    answer = server.get("/api/v1/facets", service=HOSTILE)
    assert values(answer, "service") == {HOSTILE: 3}
    assert server.get("/api/v1/facets", host_contains=HOSTILE).status_code == 200
    overview = server.get("/api/v1/overview", range="30d", rule=HOSTILE)
    assert overview.status_code == 200


def test_a_histogram_counts_by_action_in_whole_buckets(server, make_event):
    server.deliver(
        [make_event(minutes=5), make_event(minutes=65, action="warn"), make_event(minutes=125)],
        [rollup(7, minutes=65)],
    )
    since = NOW - timedelta(minutes=100)
    params = {"since": since.isoformat(), "until": NOW.isoformat(), "width": 3600}
    answer = server.get("/api/v1/histogram", **params).json()
    assert answer["width"] == 3600
    counts = [(item["start"][11:16], item["counts"]) for item in answer["buckets"]]
    none = {"allow": 0, "observe": 0, "warn": 0, "block": 0}
    assert counts == [
        ("06:00", none),
        ("07:00", none | {"allow": 7, "warn": 1}),
        ("08:00", none | {"block": 1}),
    ]


@pytest.mark.parametrize(
    ("hours", "width"), [(1, 60), (4, 300), (24, 3600), (7 * 24, 10_800), (30 * 24, 86_400)]
)
def test_a_histogram_chooses_its_width_from_the_range(now_server, make_event, hours, width):
    now_server.deliver([make_event(minutes=30)])
    since = (SOON - timedelta(hours=hours)).isoformat()
    answer = now_server.get("/api/v1/histogram", since=since).json()
    assert answer["width"] == width
    assert len(answer["buckets"]) <= 62
    assert sum(sum(item["counts"].values()) for item in answer["buckets"]) == 1


def test_a_histogram_without_range_shows_everything(now_server, make_event):
    assert now_server.get("/api/v1/histogram").json()["buckets"]
    now_server.deliver([make_event(minutes=60 * 24 * 3), make_event()])
    answer = now_server.get("/api/v1/histogram").json()
    assert sum(item["counts"]["block"] for item in answer["buckets"]) == 2


@pytest.mark.parametrize(
    "params",
    [
        {"width": 61},
        {"width": 0},
        {"width": 10**9},
        {"width": 60, "since": "2026-01-01T00:00Z"},
        {"since": "1971-01-01T00:00Z", "width": 86400},
    ],
)
def test_a_histogram_that_cannot_be_drawn_is_refused(server, assert_problem, params):
    assert_problem(server.get("/api/v1/histogram", **params), 422, "invalid-request")


@pytest.mark.parametrize("until", ["1972-01-01T00:00Z", "9998-12-31T23:59:59Z"])
def test_a_histogram_of_far_away_times_is_no_mistake_of_ours(server, make_event, until):
    server.deliver([make_event()])
    assert server.get("/api/v1/histogram", until=until).status_code in {200, 422}


def test_the_overview_tells_who_controls_the_traffic(now_server, make_event):
    now_server.deliver(
        [make_event(), make_event(group="tax", control=("FR", "US"), decrypted=False)],
        [rollup(6, service="visio", control=("FR",), standing=Standing.SOVEREIGN, group="tax")],
    )
    answer = now_server.get("/api/v1/overview").json()
    assert answer["connections"] == 8
    assert answer["totals"] == {"allow": 6, "observe": 0, "warn": 0, "block": 2}
    assert answer["decrypted"] == {"decrypted": 1, "connections": 8, "share": 0.125}
    assert answer["flows"] == [
        {"group": "tax", "service": "visio", "control": ["FR"], "count": 6},
        {"group": "finance", "service": "zoom", "control": ["US"], "count": 1},
        {"group": "tax", "service": "zoom", "control": ["FR", "US"], "count": 1},
    ]
    assert [item["value"] for item in answer["services"]["items"]] == ["visio", "zoom"]
    assert sum(sum(i["counts"].values()) for i in answer["trend"]["buckets"]) == 8
    assert {i["value"] for i in answer["standings"]["items"]} == {"sovereign", "abroad"}


def test_the_overview_tells_which_groups_used_what_is_outside_the_trust_zone(
    now_server, make_event
):
    hosted = Standing.HOSTED_HERE_CONTROLLED_ABROAD
    now_server.deliver(
        [make_event(), make_event(group="tax"), make_event(service="", control=("CN",))],
        [
            rollup(6, service="visio", control=("FR",), standing=Standing.SOVEREIGN),
            rollup(5, service="slack", control=("US",), standing=hosted, group="tax"),
        ],
    )
    outside = now_server.get("/api/v1/overview").json()["outside"]
    numbers = {name: outside[name] for name in ("connections", "services", "groups", "others")}
    assert numbers == {"connections": 8, "services": 2, "groups": 2, "others": 0}
    items = [(item["service"], item["control"], item["count"]) for item in outside["items"]]
    assert items == [("slack", ["US"], 5), ("zoom", ["US"], 2), ("", ["CN"], 1)]
    used = outside["items"][1]
    assert {(use["group"], use["count"]) for use in used["groups"]} == {("finance", 1), ("tax", 1)}
    assert used["actions"] == ["block"]


def test_groups_that_the_overview_cuts_off_are_summed_up(now_server, make_event):
    now_server.deliver([make_event(group=f"g{n}") for n in range(23)], [rollup(4, service="zoom")])
    now_server.deliver([make_event(group="g0") for _ in range(5)])
    (used,) = now_server.get("/api/v1/overview").json()["outside"]["items"]
    assert len(used["groups"]) == 20
    assert (used["other_groups"], used["other_count"]) == (3, 3)
    shown = sum(use["count"] for use in used["groups"])
    assert shown + used["other_count"] == used["count"] == 28


def test_the_overview_joins_what_is_rare_to_other(now_server, make_event):
    now_server.deliver(
        [make_event(service=f"s{n}", group=f"g{n}") for n in range(30) for _ in range(31 - n)]
    )
    flows = now_server.get("/api/v1/overview").json()["flows"]
    assert len({item["group"] for item in flows}) == 9
    assert len({item["service"] for item in flows}) == 13
    assert sum(item["count"] for item in flows) == sum(range(2, 32))


def test_the_overview_says_what_was_never_seen_before(now_server, make_event):
    day = 60 * 24
    now_server.deliver([make_event(minutes=3 * day, service="zoom", asn=1)])
    now_server.deliver([make_event(service="zoom", asn=2)], [rollup(1, service="teams", asn=1)])
    new = now_server.get("/api/v1/overview", range="24h").json()["new"]
    assert [item["value"] for item in new["services"]] == ["teams"]
    assert [item["value"] for item in new["networks"]] == ["2"]
    new = now_server.get("/api/v1/overview", range="7d").json()["new"]
    assert {item["value"] for item in new["services"]} == {"teams", "zoom"}


def test_an_overview_of_an_empty_store_is_all_zero(server):
    answer = server.get("/api/v1/overview", Role.ADMIN, range="30d").json()
    assert answer["connections"] == 0
    assert answer["decrypted"]["share"] == 0
    assert answer["flows"] == []


def test_pages_go_both_ways_and_both_orders(server, make_event):
    events = [make_event(minutes=number // 2) for number in range(10)]
    server.deliver(events)
    for sort in ("newest", "oldest"):
        pages, cursor = [], ""
        while cursor is not None:
            pages.append(server.get("/api/v1/events", limit=3, cursor=cursor, sort=sort).json())
            cursor = pages[-1]["next"]
        assert pages[0]["prev"] is None
        for before, page in itertools.pairwise(pages):
            back = server.get("/api/v1/events", limit=3, cursor=page["prev"], sort=sort).json()
            assert back["items"] == before["items"]
            assert back["next"] is not None
        times = [item["time"] for page in pages for item in page["items"]]
        assert times == sorted(times, reverse=sort == "newest")


def test_what_is_new_obeys_the_filter(now_server, make_event):
    now_server.deliver(
        [make_event(service="a", asn=1, group="tax"), make_event(service="b", asn=2)]
    )
    new = now_server.get("/api/v1/overview", group="tax").json()["new"]
    assert [item["value"] for item in new["services"] + new["networks"]] == ["a", "1"]
    new = now_server.get("/api/v1/overview").json()["new"]
    assert sorted(item["value"] for item in new["services"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "rows"), [("facets?field=service", 2), ("counts?by=service", 2), ("overview", 2)]
)
def test_the_audit_tells_how_many_numbers_about_a_person_were_given(
    now_server, make_event, path, rows
):
    client = "2026-11.aaaabbbbccccdddd"
    now_server.deliver([make_event(client=client, service=name) for name in "ab"])
    name, _, query = path.partition("?")
    asked = dict(part.split("=") for part in query.split("&") if part)
    assert now_server.get(f"/api/v1/{name}", client=client, **asked).status_code == 200
    entries = now_server.get("/api/v1/audit", Role.AUDITOR).json()["items"]
    assert [item["rows"] for item in entries if item["what"] == name] == [rows]
