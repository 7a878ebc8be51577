"""The store is full, locked, or gone: 503 with Retry-After, nothing acknowledged is lost, it heals.

The faults are real ones of SQLite: a database that may not grow, a lock held by another process, a
file that is moved away, a file that cannot be written.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event as sqlalchemy_event

from sovproxy.api.access import access_rows
from sovproxy.api.app import ROUTERS
from sovproxy.store import database
from sovproxy.usecases.access import tokens
from sovproxy.usecases.access.remembering import MAX_REMEMBERED, REMEMBERED_FOR
from sovproxy.usecases.access.tokens import Role

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "data" / "sovproxy.sqlite"


@pytest.fixture
def impatient(server):
    """A store that waits 50 ms for a lock, not 5 s."""

    def hurry(connection, _record, _proxy):
        connection.execute("PRAGMA busy_timeout=50").close()

    sqlalchemy_event.listen(server.services.store._engine, "checkout", hurry)
    return server


def ids_of(server, headers):
    answer = server.client.get("/api/v1/events", params={"limit": 500}, headers=headers)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


def body_of(events):
    return b'{"events":[%s]}' % b",".join(event.to_json() for event in events)


def test_a_full_disk_refuses_and_keeps_and_heals(server, make_event, assert_problem, file):
    headers = {role: server.as_role(role) for role in (Role.NODE, Role.ADMIN)}
    limit: list[int] = []

    def set_limit(connection, _record, _proxy):
        connection.execute(f"PRAGMA max_page_count={limit[0] if limit else 1 << 30}").close()

    sqlalchemy_event.listen(server.services.store._engine, "checkout", set_limit)
    kept = [make_event(minutes=number) for number in range(50)]
    deliver = lambda events: server.client.post(  # noqa: E731  # short and used right here
        "/api/v1/events", content=body_of(events), headers=headers[Role.NODE]
    )
    assert deliver(kept).json()["accepted"] == 50
    with sqlite3.connect(file) as connection:
        [[pages]] = connection.execute("PRAGMA page_count")
    limit.append(pages)

    more = [make_event(minutes=100 + number, reason="x" * 400) for number in range(2000)]
    refused = deliver(more)
    assert_problem(refused, 503, "store-unavailable")
    assert int(refused.headers["retry-after"]) > 0

    limit.clear()
    assert deliver(more).json() == {"accepted": 2000, "duplicates": 0, "refused": []}
    assert {str(event.id) for event in kept} <= ids_of(server, headers[Role.ADMIN])


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_of_another_process_is_waited_out_and_then_told(
    impatient, make_event, assert_problem, file
):
    node = impatient.as_role(Role.NODE)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    body = body_of([make_event()])
    refused = impatient.client.post("/api/v1/events", content=body, headers=node)
    assert_problem(refused, 503, "store-unavailable")
    assert refused.headers["retry-after"]
    holder.communicate()
    taken = impatient.client.post("/api/v1/events", content=body, headers=node)
    assert taken.json()["accepted"] == 1


def test_every_route_that_needs_the_store_says_503_and_how_long_to_wait(
    serve, services, assert_problem
):
    """The store fails below everything, as it does when its disk is gone."""
    server = serve()
    headers = {role: server.as_role(role) for role in Role}
    engine = services.store._engine

    sqlalchemy_event.listen(engine, "before_cursor_execute", _raise_io_error)
    try:
        for method, path, roles in access_rows(ROUTERS):
            if not roles:
                continue
            caller = headers[Role.ADMIN if Role.ADMIN in roles else min(roles)]
            answer = server.client.request(
                method, path.replace("{", "").replace("}", ""), headers=caller
            )
            assert_problem(answer, 503, "store-unavailable")
            assert int(answer.headers["retry-after"]) > 0, path
        health = server.client.get("/api/v1/health")
        assert (health.status_code, health.json()["status"]) == (503, "failing")
        assert health.headers["retry-after"]
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", _raise_io_error)
    assert server.client.get("/api/v1/health").status_code == 200
    assert server.client.get("/api/v1/version", headers=headers[Role.ADMIN]).status_code == 200


def _raise_io_error(*_args):
    raise database.StoreUnavailable("the store cannot be used now: disk I/O error")


def test_a_scraper_goes_on_reading_metrics_while_the_store_is_away(serve, services, assert_problem):
    server = serve()
    known, new = server.as_role(Role.AUDITOR), server.as_role(Role.AUDITOR)
    assert server.client.get("/metrics", headers=known).status_code == 200
    with _away(services):
        answer = server.client.get("/metrics", headers=known)
        assert answer.status_code == 200
        assert "sovproxy_store_up 0.0" in answer.text
        assert_problem(server.client.get("/metrics", headers=new), 503, "store-unavailable")
        assert_problem(server.client.get("/api/v1/version", headers=known), 503)


def test_what_is_remembered_of_a_scraper_ends(serve, services, assert_problem):
    """After a day, when the store says no, and when others came since."""
    moment = [datetime(2026, 11, 23, tzinfo=UTC)]
    server = serve(clock=lambda: moment[0])
    kept, revoked = server.as_role(Role.ADMIN), server.as_role(Role.ADMIN)
    others = [server.as_role(Role.ADMIN) for _ in range(MAX_REMEMBERED - 1)]
    workers = [server.as_role(Role.WORKER) for _ in range(MAX_REMEMBERED)]
    for headers in (kept, revoked):
        assert server.client.get("/metrics", headers=headers).status_code == 200
    tokens.revoke_token(services.store, revoked["authorization"].split("_")[1])
    assert_problem(server.client.get("/metrics", headers=revoked), 401)
    for headers in workers:
        assert_problem(server.client.get("/metrics", headers=headers), 403)
    with _away(services):
        assert_problem(server.client.get("/metrics", headers=revoked), 503)
        assert server.client.get("/metrics", headers=kept).status_code == 200
        moment[0] += REMEMBERED_FOR
        assert_problem(server.client.get("/metrics", headers=kept), 503)
        moment[0] -= timedelta(hours=1)
        assert server.client.get("/metrics", headers=kept).status_code == 200
    for headers in others:
        assert server.client.get("/metrics", headers=headers).status_code == 200
    with _away(services):
        assert server.client.get("/metrics", headers=kept).status_code == 200
    assert server.client.get("/metrics", headers=server.as_role(Role.ADMIN)).status_code == 200
    with _away(services):
        assert_problem(server.client.get("/metrics", headers=kept), 503)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sov_0123456789abcdef_" + "x" * 43},
        {"authorization": "Bearer no-token"},
        {"cookie": "sovproxy_session=" + "x" * 43},
    ],
)
def test_health_says_failing_whatever_the_caller_shows(serve, services, headers):
    server = serve()
    with _away(services):
        answer = server.client.get("/api/v1/health", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert answer.json()["store"] == {"ok": False, "problem": "the store cannot be used now"}


@contextmanager
def _away(services):
    engine = services.store._engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", _raise_io_error)
    try:
        yield
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", _raise_io_error)
