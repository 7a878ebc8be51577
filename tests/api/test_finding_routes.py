"""Findings: marked once, worked through, annotated; suppressions that end; candidates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import insert

from sovproxy.store.tables import NOTES
from sovproxy.usecases.access.tokens import Role, create_token
from sovproxy.usecases.analysis.findings import MAX_NOTES
from sovproxy.usecases.analysis.suppressing import MAX_SUPPRESSIONS

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
EVENT_ID = "01a20692-8621-70d7-a99f-dbc898c77802"


@pytest.fixture
def clock():
    moment = SimpleNamespace(now=datetime(2026, 11, 23, 8, 30, tzinfo=UTC))
    moment.later = lambda **values: setattr(moment, "now", moment.now + timedelta(**values))
    return moment


@pytest.fixture
def server(serve, clock):
    return serve(clock=lambda: clock.now)


@pytest.fixture
def call(server, clock):
    token = create_token(server.services.store, Role.ANALYST, "Ada", now=clock.now)
    own = {"authorization": f"Bearer {token}"}

    def _call(method, path, body=None, headers=(), **params):
        url, sent = f"/api/v1{path}", own | dict(headers)
        return server.client.request(method, url, json=body, params=params, headers=sent)

    return _call


def mark(call, kind="service", value="zoom", **fields):
    return call("POST", "/findings", {"kind": kind, "value": value} | fields)


@pytest.mark.parametrize(
    ("kind", "value", "group"),
    [
        ("event", EVENT_ID, ""),
        ("host", "us02web.zoom.us", ""),
        ("host", "x" * 253, ""),
        ("host", HOSTILE, ""),
        ("service", "zoom", ""),
        ("asn", "30103", ""),
        ("operator", "zoom", ""),
        ("pair", "zoom", "finance"),
    ],
)
def test_each_thing_is_marked_once(call, kind, value, group):
    first = mark(call, kind, value, group=group)
    again = mark(call, kind, value, group=group, note="again")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["value"] == value
    assert first.json()["state"] == "new"


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "event", "value": "1"},
        {"kind": "asn", "value": "AS1"},
        {"kind": "asn", "value": "0"},
        {"kind": "asn", "value": "99999999999"},
        {"kind": "asn", "value": "١٢"},
        {"kind": "pair", "value": "zoom"},
        {"kind": "service", "value": "zoom", "group": "finance"},
        {"kind": "host", "value": "x" * 254},
        {"kind": "host", "value": "a\u202eb"},
        {"kind": "host", "value": ""},
        {"kind": "client", "value": "2026-11.aaaabbbbccccdddd"},
        {"kind": "host", "value": "a", "tags": ["No Spaces"]},
        {"kind": "host", "value": "a", "tags": ["t,t"]},
        {"kind": "host", "value": "a", "tags": [f"t{number}" for number in range(11)]},
        {"kind": "host", "value": "a", "note": "x" * 2001},
        {"kind": "host", "value": "a", "note": "\x1b[2J"},
        {"kind": "host", "value": "a", "nonsense": 1},
    ],
)
def test_what_cannot_be_marked_is_refused(call, assert_problem, body):
    assert_problem(call("POST", "/findings", body), 422, "invalid-request")


def test_a_finding_tells_its_history(call, clock):
    number = mark(call, note="seen again").json()["id"]
    clock.later(minutes=5)
    change = {"state": "in_review", "assignee": "Grace", "tags": ["visio-move", "august"]}
    call("PATCH", f"/findings/{number}", change | {"note": "asked\nthe group"})
    call("POST", f"/findings/{number}/notes", {"text": HOSTILE})
    shown = call("GET", f"/findings/{number}").json()
    assert [(line["kind"], line["text"]) for line in shown["history"]] == [
        ("note", "seen again"),
        ("state", "in_review"),
        ("assignee", "Grace"),
        ("tags", "august, visio-move"),
        ("note", "asked\nthe group"),
        ("note", HOSTILE),
    ]
    assert {line["author"] for line in shown["history"]} == {"Ada"}
    assert shown["tags"] == ["august", "visio-move"]


def test_a_change_that_changes_nothing_leaves_no_line(call):
    number = mark(call, tags=["a"]).json()["id"]
    call("PATCH", f"/findings/{number}", {"state": "new", "assignee": "", "tags": ["a"]})
    assert call("GET", f"/findings/{number}").json()["history"] == []


def test_findings_are_found_by_state_kind_assignee_and_tag(call):
    ids = [mark(call, value=f"s{number}", tags=["odd"] if number % 2 else []).json()["id"]
           for number in range(6)]  # fmt: skip
    mark(call, "host", "a.example")
    call("PATCH", f"/findings/{ids[0]}", {"state": "dismissed", "assignee": "Grace"})

    def found(**params):
        return [item["value"] for item in call("GET", "/findings", **params).json()["items"]]

    assert found(kind="host") == ["a.example"]
    assert found(state="dismissed") == ["s0"]
    assert found(assignee="Grace") == ["s0"]
    assert found(tags="odd") == ["s5", "s3", "s1"]
    assert found(state=["new", "dismissed"], kind="service", limit=2) == ["s5", "s4"]


def test_findings_come_in_pages_with_counts_by_state(call):
    for number in range(5):
        mark(call, value=f"s{number}")
    first = call("GET", "/findings", limit=3).json()
    second = call("GET", "/findings", limit=3, cursor=first["next"]).json()
    values = [item["value"] for item in first["items"] + second["items"]]
    assert values == ["s4", "s3", "s2", "s1", "s0"]
    assert second["next"] is None
    assert first["states"]["new"] == 5


def test_a_history_has_an_end(call, server, assert_problem):
    number = mark(call).json()["id"]
    with server.services.store.writing() as connection:
        for _ in range(MAX_NOTES):
            values = {"finding": number, "time": 1, "kind": "note", "text": "x"}
            connection.execute(insert(NOTES).values(values | {"author": "", "author_name": ""}))
    answer = call("POST", f"/findings/{number}/notes", {"text": "one more"})
    assert_problem(answer, 409, "too-many")


@pytest.mark.parametrize("path", ["/findings/1", "/findings/9223372036854775807"])
def test_a_finding_that_is_not_there_is_404(call, assert_problem, path):
    assert_problem(call("GET", path), 404, "no-such-finding")
    assert_problem(call("PATCH", path, {"state": "new", "note": "x"}), 404, "no-such-finding")
    assert_problem(call("POST", f"{path}/notes", {"text": "x"}), 404, "no-such-finding")


def test_every_change_is_in_the_audit(call, server):
    number = mark(call).json()["id"]
    call("PATCH", f"/findings/{number}", {"state": "confirmed"})
    call("POST", f"/findings/{number}/notes", {"text": "sure"})
    three = call("POST", "/suppressions", {"kind": "asn", "value": "1", "reason": "ours"}).json()
    call("DELETE", f"/suppressions/{three['id']}")
    items = server.get("/api/v1/audit", Role.AUDITOR).json()["items"]
    assert [item["what"] for item in items] == [
        "suppression_lift",
        "suppress",
        "finding_note",
        "finding_change",
        "finding_mark",
    ]
    assert {item["name"] for item in items} == {"Ada"}


def suppress(call, kind="asn", value="64500", **fields):
    return call("POST", "/suppressions", {"kind": kind, "value": value, "reason": "ours"} | fields)


def in_force(call, **params):
    return [item["value"] for item in call("GET", "/suppressions", **params).json()["items"]]


@pytest.mark.parametrize(
    ("kind", "given", "kept"), [("asn", "064500", "64500"), ("host", "ZOOM.us", "zoom.us")]
)
def test_one_thing_has_one_spelling(call, kind, given, kept):
    assert suppress(call, kind, given).json()["value"] == kept
    assert in_force(call) == [kept]
    assert mark(call, kind, given).json()["value"] == kept
    assert mark(call, kind, kept).status_code == 200, "it is the same finding"


@pytest.mark.parametrize("text", [" ", "\u00a0", "\n"])
def test_a_note_says_something(call, assert_problem, text):
    number = mark(call).json()["id"]
    assert_problem(call("POST", f"/findings/{number}/notes", {"text": text}), 422)


def test_a_suppression_lapses_by_itself(call, clock):
    assert suppress(call, days=2).status_code == 201
    clock.later(days=1, hours=23)
    assert in_force(call) == ["64500"]
    clock.later(hours=1)
    assert in_force(call) == []
    assert in_force(call, ended=True) == ["64500"]


def test_a_suppression_is_lifted_once(call, assert_problem):
    number = suppress(call).json()["id"]
    assert call("DELETE", f"/suppressions/{number}").json()["lifted_by"] == "Ada"
    assert in_force(call) == []
    assert_problem(call("DELETE", f"/suppressions/{number}"), 404, "no-such-suppression")


def test_the_same_value_is_suppressed_once_and_the_later_one_counts(call):
    suppress(call, days=1)
    suppress(call, days=30, reason="for longer")
    [item] = call("GET", "/suppressions").json()["items"]
    assert item["reason"] == "for longer"


def test_so_many_suppressions_are_in_force_at_most(call, assert_problem):
    for number in range(MAX_SUPPRESSIONS):
        assert suppress(call, value=str(number + 1)).status_code == 201
    assert_problem(suppress(call, value="999999"), 409, "too-many")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "asn", "value": "zoom"},
        {"kind": "control", "value": "US"},
        {"kind": "client", "value": "2026-11.aaaabbbbccccdddd"},
        {"value": ""},
        {"kind": "host", "value": "x" * 254},
        {"kind": "host", "value": "a\u202eb"},
        {"reason": "x"},
        {"reason": "x" * 501},
        {"days": 0},
        {"days": 367},
    ],
)
def test_what_cannot_be_suppressed_is_refused(call, assert_problem, fields):
    assert_problem(suppress(call, **fields), 422, "invalid-request")


def test_what_is_suppressed_is_not_new_but_still_searched_and_exported(call, server, make_event):
    server.deliver([make_event(1), make_event(1, service="teams", asn=8075)])
    suppress(call, "service", "zoom")
    suppress(call, "asn", "8075")
    overview = call("GET", "/overview").json()
    assert [item["value"] for item in overview["new"]["services"]] == ["teams"]
    assert [item["value"] for item in overview["new"]["networks"]] == ["30103"]
    assert overview["new"]["suppressed"] == 2
    assert overview["connections"] == 2
    assert len(call("GET", "/events").json()["items"]) == 2
    assert len(call("GET", "/export", format="jsonl").text.splitlines()) == 2


def knows(*hosts):
    """A judge whose catalogue has grown since."""
    return lambda query, *_, **__: {"service": {"id": "new"} if query in hosts else None}


def test_candidates_are_hosts_without_an_entry_then_and_now(call, server, make_event, monkeypatch):
    mine = {"service": "", "host": "meet.example.org", "asn": 64500, "operator": "example"}
    server.deliver(
        [
            make_event(3, **mine),
            make_event(2, **mine | {"group": "legal", "client": "2026-11.bbbbbbbbccccdddd"}),
            make_event(1, **mine | {"asn": 64501, "operator": ""}),
            make_event(1, service="", host="covered.example"),
            make_event(1, host="listed.zoom.us"),
            make_event(1, service="", host="hidden.example"),
            make_event(60 * 24 * 8, service="", host="old.example"),
        ]
    )
    suppress(call, "host", "hidden.example")
    monkeypatch.setattr(server.services.judge, "check", knows("covered.example"))
    found = call("GET", "/candidates").json()
    assert found["suppressed"] == 1
    [item] = found["items"]
    assert item == {
        "host": "meet.example.org",
        "events": 3,
        "meetings": 0,
        "clients": 2,
        "groups": {"finance": 2, "legal": 1},
        "first": "2026-11-23T08:27:00Z",
        "last": "2026-11-23T08:29:00Z",
        "asn": 64500,
        "operator": "example",
    }


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(call, assert_problem):
    marked = mark(call)
    address = f"/findings/{marked.json()['id']}"
    read = call("GET", address)
    assert read.headers["etag"] == marked.headers["etag"]
    match = {"if-match": read.headers["etag"]}
    assert read.headers["cache-control"] == "no-store"
    done = call("PATCH", address, {"assignee": "Grace"}, headers=match)
    assert (done.status_code, done.headers["etag"] != read.headers["etag"]) == (200, True)
    refused = call("PATCH", address, {"state": "dismissed", "assignee": ""}, headers=match)
    assert_problem(refused, 412, "changed")
    now = call("GET", address)
    assert (now.json()["assignee"], now.json()["state"]) == ("Grace", "new")
    assert now.headers["etag"] == done.headers["etag"]
    again = call("PATCH", address, {"assignee": "Grace"}, headers=match)
    assert again.status_code == 200  # it says what is there already
    for number, tag in enumerate(["*", f'"x", {now.headers["etag"]}']):
        done = call("PATCH", address, {"tags": [f"t{number}"]}, headers={"if-match": tag})
        assert done.status_code == (200, 412)[number]
    listed = f'"x", {call("GET", address).headers["etag"]}'
    assert call("PATCH", address, {"tags": []}, headers={"if-match": listed}).status_code == 200
    assert call("PATCH", address, {"tags": ["free"]}).status_code == 200


def test_a_note_makes_another_version(call):
    address = f"/findings/{mark(call).json()['id']}"
    before = call("GET", address).headers["etag"]
    after = call("POST", f"{address}/notes", {"text": "seen"}).headers["etag"]
    assert after != before
    stale = call("PATCH", address, {"state": "confirmed"}, headers={"if-match": before})
    assert stale.status_code == 412


def test_of_many_who_change_the_same_version_at_once_one_does(call):
    address = f"/findings/{mark(call).json()['id']}"
    match = {"if-match": call("GET", address).headers["etag"]}

    def change(number):
        return call("PATCH", address, {"assignee": f"P{number}"}, headers=match).status_code

    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(change, range(8)))
    assert sorted(answers) == [200] + [412] * 7
    assert len(call("GET", address).json()["history"]) == 1
