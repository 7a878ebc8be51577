"""Meetings that no catalogue knows: counted by host, standing and day, and of nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from sovproxy.api.routes.meetings import A_DAY
from sovproxy.store.tables import AUDIT, MEETING_COUNTS
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import WorkerKeys, mint
from sovproxy.usecases.analysis.candidates import candidates
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.upkeep.keeping import run_retention
from sovproxy.usecases.worker import meetings
from tests.api.conftest import NOW

ME, OTHER = "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh"
DAY = (NOW - meetings.EPOCH).days


class Workers:
    """An API at a clock of ours, and workers that a node vouches for."""

    def __init__(self, serve, folder) -> None:
        self.now = NOW
        self.keys = WorkerKeys(folder / "worker-key", lambda: self.now)
        self.server = serve(clock=lambda: self.now, workers=self.keys)
        self.store = self.server.services.store

    def tell(self, host="meet.example.org", standing="unknown", client=ME, **more):
        made = mint(self.keys.hand_out(self.now), client, "legal", (), self.now)
        headers = {"authorization": f"Bearer {made[0]}"}
        body = {"host": host, "standing": standing} | more
        return self.server.client.post("/api/v1/meetings", json=body, headers=headers)

    def rows(self, table=MEETING_COUNTS):
        with self.store.reading() as connection:
            return [tuple(row) for row in connection.execute(select(table))]

    def candidates(self, **wanted):
        covered = lambda host: host.endswith("known.example")  # noqa: E731  # as the console's
        given = FilterInput(since=self.now - timedelta(days=7), **wanted)
        return candidates(self.store, given, self.now, covered=covered).items


@pytest.fixture
def workers(serve, tmp_path):
    return Workers(serve, tmp_path)


def test_only_day_host_standing_and_a_count_are_kept(workers):
    for client in (ME, OTHER, ME):
        assert workers.tell("Meet.Example.org.", client=client).status_code == 204
    workers.tell(standing="abroad")
    workers.now += timedelta(hours=20)
    workers.tell()
    assert sorted(workers.rows()) == [
        (DAY, "meet.example.org", "abroad", 1),
        (DAY, "meet.example.org", "unknown", 3),
        (DAY + 1, "meet.example.org", "unknown", 1),
    ]
    assert workers.rows(AUDIT) == []


def test_analysts_find_the_counts_among_the_candidates(workers, make_event):
    workers.server.deliver([make_event(host="meet.example.org", service="")])
    for host in ("meet.example.org", "room.example.org", "room.example.org", "a.known.example"):
        workers.tell(host)
    found = workers.server.get("/api/v1/candidates").json()["items"]
    assert {item["host"] for item in found} >= {"meet.example.org", "room.example.org"}
    seen, met = workers.candidates()
    assert (seen.host, seen.events, seen.meetings) == ("meet.example.org", 1, 1)
    assert (met.host, met.events, met.clients, met.meetings) == ("room.example.org", 0, 0, 2)
    assert met.first == met.last == NOW.replace(hour=0, minute=0)


def test_counts_say_nothing_of_groups_or_clients_so_such_searches_have_none(workers):
    workers.tell()
    assert len(workers.candidates()) == 1
    assert workers.candidates(group=["legal"]) == []
    assert workers.candidates(client=[ME]) == []


def test_what_is_suppressed_is_left_out(workers):
    workers.tell("a.meet.example.org")
    workers.tell("other.example.org")
    headers = workers.server.as_role(Role.ANALYST)
    body = {"kind": "host", "value": ".meet.example.org", "reason": "our own"}
    done = workers.server.client.post("/api/v1/suppressions", json=body, headers=headers)
    assert done.status_code == 201, done.text
    assert [item.host for item in workers.candidates()] == ["other.example.org"]


def test_what_is_no_hosts_name_or_no_standing_is_refused(workers, assert_problem):
    bad = [
        "",
        "192.0.2.1",
        "[2001:db8::1]",
        "0x7f.1",
        "localhost",
        "a b.example",
        "a" * 300,
        "ñ" * 64,
    ]
    for host in bad:
        assert_problem(workers.tell(host), 422, "invalid-request")
    assert_problem(workers.tell(standing="sovereign"), 422, "invalid-request")
    assert_problem(workers.tell(client_name="Ada"), 422, "invalid-request")
    assert workers.rows() == []


def test_only_workers_tell(workers, assert_problem):
    for role in set(Role) - {Role.WORKER}:
        headers = workers.server.as_role(role)
        body = {"host": "a.example", "standing": "abroad"}
        answer = workers.server.client.post("/api/v1/meetings", json=body, headers=headers)
        assert_problem(answer, 403, "forbidden")


def test_one_browser_tells_of_fifty_sites_a_day_at_most(workers, assert_problem):
    for number in range(A_DAY):
        assert workers.tell(f"n{number}.example").status_code == 204
    assert_problem(workers.tell("one-more.example"), 429, "too-many-requests")
    assert workers.tell("another.example", client=OTHER).status_code == 204


def test_made_up_names_fill_no_disk(workers, assert_problem, monkeypatch):
    monkeypatch.setattr(meetings, "MAX_A_DAY", 3)
    for number in range(3):
        assert workers.tell(f"n{number}.example").status_code == 204
    assert_problem(workers.tell("one-more.example"), 409, "day-full")
    assert workers.tell("n0.example").status_code == 204
    workers.now += timedelta(days=1)
    assert workers.tell("one-more.example").status_code == 204


def test_retention_deletes_old_counts(workers):
    workers.tell("old.example")
    workers.now += timedelta(days=184)
    workers.tell("new.example")
    assert run_retention(workers.store, workers.now, 183).deleted["meetings"] == 1
    assert [row[1] for row in workers.rows()] == ["new.example"]
