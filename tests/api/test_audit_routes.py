"""Every look at events about persons leaves an entry that nobody can change."""

from __future__ import annotations

import sqlite3

import pytest

from sovproxy.store.database import StoreUnavailable
from sovproxy.usecases.access.tokens import Role

CLIENT = "2026-11.aaaabbbbccccdddd"


def entries(server, **params):
    answer = server.get("/api/v1/audit", Role.AUDITOR, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_a_search_leaves_who_what_and_how_many(server, make_event):
    server.deliver([make_event(), make_event(), make_event(service="teams")])
    server.get("/api/v1/events", service="zoom", limit=10)
    [entry] = entries(server)
    assert entry["what"] == "events"
    assert entry["name"] == entry["role"] == "analyst"
    assert entry["details"] == {"service": ["zoom"], "limit": 10}
    assert entry["rows"] == 2
    assert len(entry["token"]) == 16


@pytest.mark.parametrize("path", ["facets", "histogram", "overview"])
def test_counts_about_a_client_leave_an_entry_and_other_counts_do_not(server, path):
    server.get(f"/api/v1/{path}", service="zoom")
    assert entries(server) == []
    server.get(f"/api/v1/{path}", client=CLIENT)
    [entry] = entries(server)
    assert (entry["what"], entry["details"]) == (path, {"client": [CLIENT]})


def test_one_event_an_export_and_a_sign_in_leave_entries(server, make_event):
    event = make_event()
    server.deliver([event])
    server.get(f"/api/v1/events/{event.id}")
    server.get("/api/v1/export", format="csv")
    server.client.post("/api/v1/session", headers=server.as_role(Role.ANALYST))
    assert [(item["what"], item["rows"]) for item in entries(server)] == [
        ("sign_in", 0),
        ("export", 1),
        ("event", 1),
    ]


def test_entries_come_in_pages_and_by_kind(server):
    for _ in range(5):
        server.get("/api/v1/events")
    server.get("/api/v1/export", format="csv")
    first = server.get("/api/v1/audit", Role.ADMIN, limit=4).json()
    second = server.get("/api/v1/audit", Role.ADMIN, limit=4, cursor=first["next"]).json()
    assert [item["seq"] for item in first["items"] + second["items"]] == [6, 5, 4, 3, 2, 1]
    assert second["next"] is None
    assert len(entries(server, what="export")) == 1
    assert entries(server, token=first["items"][0]["token"]) == [first["items"][0]]


@pytest.mark.parametrize("params", [{"what": "x"}, {"cursor": 0}, {"cursor": "é"}, {"limit": 501}])
def test_a_bad_question_to_the_audit_is_refused(server, assert_problem, params):
    assert_problem(server.get("/api/v1/audit", Role.AUDITOR, **params), 422, "invalid-request")


@pytest.mark.parametrize("statement", ["UPDATE audit SET rows = 0", "DELETE FROM audit"])
def test_an_entry_can_be_neither_changed_nor_deleted(server, tmp_path, statement):
    server.get("/api/v1/events")
    connection = sqlite3.connect(tmp_path / "data" / "sovproxy.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        connection.execute(statement)
    connection.close()


def test_nothing_is_shown_when_the_entry_cannot_be_written(
    server, make_event, assert_problem, monkeypatch
):
    """The one fault that real parts do not offer: the disk fills up between look and entry."""
    server.deliver([make_event()])
    headers = server.as_role(Role.ANALYST)

    def full(*_):
        raise StoreUnavailable("disk full")

    monkeypatch.setattr("sovproxy.store.audit.append_entry", full)
    for path in ("events", "export?format=csv", "events/stream", f"facets?client={CLIENT}"):
        assert_problem(server.client.get(f"/api/v1/{path}", headers=headers), 503)
