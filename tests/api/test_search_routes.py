from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Rollup
from sovproxy.store.queries import Place
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.searching import InvalidCursor, decode_cursor, encode_cursor

from .conftest import NOW

HOSTILE = "<script>alert(1)</script>'; DROP TABLE event;-- \x1b[31m%_\\"


@pytest.fixture
def services_url(store_url):
    """Everything here is asked on each database."""
    return store_url


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize("host", ["zoom.us", "ZOOM.us", ".US", ".us"])
def test_a_hosts_name_knows_no_case(server, make_event, host):
    event = make_event(host="zoom.us" if host[0] != "." else "www.zoom.us")
    server.deliver([event, make_event(host="visio.numerique.gouv.fr")])
    assert ids(server.get("/api/v1/events", host=host)) == [str(event.id)]


@pytest.mark.parametrize("field", ["group", "rule", "node", "host", "host_contains"])
def test_what_may_be_stored_may_be_looked_for(server, make_event, field):
    """French has a space before a colon at which no line ends; hosts come from anybody."""
    value = "règle\u00a0: x"
    event = make_event(**{field.removesuffix("_contains"): value})
    server.deliver([event, make_event()])
    assert ids(server.get("/api/v1/events", **{field: value})) == [str(event.id)]


def test_pages_give_every_event_once_newest_first(server, make_event):
    events = [make_event(minutes=number // 3) for number in range(25)]
    server.deliver(events)
    seen, cursor = [], ""
    while cursor is not None:
        page = server.get("/api/v1/events", limit=4, cursor=cursor).json()
        seen += page["items"]
        cursor = page["next"]
    assert sorted(item["id"] for item in seen) == sorted(str(event.id) for event in events)
    assert [item["time"] for item in seen] == sorted((i["time"] for i in seen), reverse=True)


def test_pages_stay_whole_while_new_events_arrive(server, make_event):
    events = [make_event(minutes=number) for number in range(6)]
    server.deliver(events)
    first = server.get("/api/v1/events", limit=3).json()
    server.deliver([make_event(minutes=-1)])
    second = server.get("/api/v1/events", limit=3, cursor=first["next"]).json()
    assert [i["id"] for i in first["items"] + second["items"]] == [str(e.id) for e in events]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("service", "zoom", "teams"),
        ("operator", "zoom", "microsoft"),
        ("standing", "abroad", "sovereign"),
        ("action", "block", "warn"),
        ("rule", "r1", "r2"),
        ("group", "finance", "tax"),
        ("node", "n1", "n2"),
        ("client", "2026-11.aaaabbbbccccdddd", "2026-12.aaaabbbbccccdddd"),
        ("host", "zoom.us", "notzoom.us"),
    ],
)
def test_each_filter_finds_what_it_names_and_nothing_else(server, make_event, field, value, other):
    wanted, unwanted = make_event(**{field: value}), make_event(**{field: other})
    server.deliver([wanted, unwanted])
    assert ids(server.get("/api/v1/events", **{field: value})) == [str(wanted.id)]
    both = server.get("/api/v1/events", **{field: [value, other]})
    assert len(ids(both)) == 2


def test_control_finds_events_controlled_from_several_countries(server, make_event):
    mixed, other = make_event(control=("FR", "US")), make_event(control=("UA",))
    server.deliver([mixed, other])
    assert ids(server.get("/api/v1/events", control="US")) == [str(mixed.id)]
    assert ids(server.get("/api/v1/events", control="UA")) == [str(other.id)]


def test_a_leading_dot_finds_hosts_below(server, make_event):
    below, above = make_event(host="us02web.zoom.us"), make_event(host="zoom.us")
    other = make_event(host="us02webxzoom.us")
    server.deliver([below, above, other])
    assert ids(server.get("/api/v1/events", host=".zoom.us")) == [str(below.id)]


def test_since_is_included_and_until_is_not(server, make_event):
    events = [make_event(minutes=number) for number in range(4)]
    server.deliver(events)
    until, since = NOW.isoformat(), (NOW - timedelta(minutes=2)).isoformat()
    found = ids(server.get("/api/v1/events", since=since, until=until))
    assert found == [str(events[1].id), str(events[2].id)]


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"since": "yesterday"}, "query.since"),
        ({"since": "2026-11-23T08:30:00"}, "query.since"),
        ({"until": "9999-12-31T23:59:59Z"}, "query.until"),
        ({"since": "2026-11-23T08:00Z", "until": "2026-11-22T08:00Z"}, "query"),
        ({"action": "explode"}, "query.action[0]"),
        ({"standing": ""}, "query.standing[0]"),
        ({"control": "usa"}, "query.control[0]"),
        ({"client": "10.0.0.7"}, "query.client[0]"),
        ({"service": "x" * 101}, "query.service[0]"),
        ({"service": "a\x00b"}, "query.service[0]"),
        ({"service": ["x"] * 21}, "query.service"),
        ({"limit": 501}, "query.limit"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "1e9"}, "query.limit"),
        ({"serivce": "zoom"}, "query.serivce"),
    ],
)
def test_a_bad_filter_is_refused_by_name(server, assert_problem, params, where):
    problem = assert_problem(server.get("/api/v1/events", **params), 422, "invalid-request")
    assert problem["errors"][0]["where"] == where


@pytest.mark.parametrize(
    "cursor", ["x", "MQ", "-1.1", "MS4", "é", "MS4x=", "OTk5OTk5OTk5OTk5OTk5OTk5OS4x", "x" * 101]
)
def test_a_bad_cursor_is_a_clear_422(server, assert_problem, cursor):
    assert_problem(server.get("/api/v1/events", cursor=cursor), 422, "invalid-request")


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_as_cursor_is_a_place_or_refused(text):
    try:
        place = decode_cursor(text)
    except InvalidCursor:
        return
    assert encode_cursor(place) == text


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_cursor_gives_its_place_back(time, seq):
    assert decode_cursor(encode_cursor(Place(time, seq))) == Place(time, seq)


def test_hostile_strings_are_stored_shown_as_data_and_found(server, make_event):
    event = make_event(host=HOSTILE, reason=HOSTILE, service=HOSTILE, group=HOSTILE)
    server.deliver([event])
    [item] = server.get("/api/v1/events", service=event.service).json()["items"]
    assert item["host"] == event.host == HOSTILE.replace("\x1b", "␛")
    assert server.get("/api/v1/counts", by="service").json()["items"][0]["value"] == event.service


def test_one_event_is_found_by_its_id(server, make_event, assert_problem):
    event = make_event()
    server.deliver([event])
    assert server.get(f"/api/v1/events/{event.id}").json() == json.loads(event.to_json())
    assert_problem(server.get(f"/api/v1/events/{make_event().id}"), 404, "no-such-event")
    assert_problem(server.get("/api/v1/events/1"), 422)


def rollup(count, **fields):
    values = {"start": NOW, "seconds": 60, "node": "n", "action": Action.ALLOW, "rule": "default"}
    return Rollup(count=count, **values | fields)


def test_counts_add_events_and_rollups(server, make_event):
    rollups = [rollup(40, service="visio", standing=Standing.SOVEREIGN), rollup(2, service="zoom")]
    server.deliver([make_event(service="zoom"), make_event(service="zoom")], rollups)
    answer = server.get("/api/v1/counts", by="service").json()
    assert answer == {
        "by": "service",
        "items": [
            {"value": "visio", "events": 0, "rollups": 40, "total": 40},
            {"value": "zoom", "events": 2, "rollups": 2, "total": 4},
        ],
        "others": 0,
    }


def test_counts_by_control_count_each_country(server, make_event):
    server.deliver([make_event(control=("FR", "US"))], [rollup(3, control=("FR",)), rollup(1)])
    items = server.get("/api/v1/counts", by="control").json()["items"]
    assert [(item["value"], item["total"]) for item in items] == [("FR", 4), ("", 1), ("US", 1)]


def test_counts_leave_acknowledgements_out(server, make_event):
    server.deliver([make_event(), make_event(kind="acknowledgement", action="warn")])
    items = server.get("/api/v1/counts", by="action").json()["items"]
    assert [(item["value"], item["total"]) for item in items] == [("block", 1)]


def test_counts_keep_to_the_time_range_and_say_what_was_cut(server, make_event):
    late = make_event(minutes=-120, rule="late")
    server.deliver([make_event(rule="a"), make_event(rule="b"), late], [rollup(9, rule="c")])
    until = (NOW + timedelta(minutes=1)).isoformat()
    answer = server.get("/api/v1/counts", by="rule", until=until, limit=1).json()
    assert [item["value"] for item in answer["items"]] == ["c"]
    assert answer["others"] == 2


def test_counts_for_one_host_do_not_mix_in_rollups(server, make_event):
    server.deliver([make_event(host="zoom.us")], [rollup(40, service="zoom")])
    items = server.get("/api/v1/counts", by="service", host="zoom.us").json()["items"]
    assert [(item["value"], item["total"]) for item in items] == [("zoom", 1)]


@pytest.mark.parametrize("params", [{}, {"by": "host"}, {"by": "service", "limit": 1001}])
def test_a_bad_count_is_refused(server, assert_problem, params):
    assert_problem(server.get("/api/v1/counts", Role.ADMIN, **params), 422)
