"""Retention, kind by kind and on both databases: what is too old goes, what is not stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from sovproxy.events.event import Event, Rollup, new_id
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.fleet.directory import Directory
from sovproxy.store.chain import Anchor
from sovproxy.store.deliveries import insert_records
from sovproxy.store.tables import (
    ACKNOWLEDGEMENTS,
    AUDIT,
    EVENTS,
    EXCEPTIONS,
    FINDINGS,
    LINKS,
    NOTES,
    PERSON_REQUESTS,
    RESOLUTIONS,
    ROLLUPS,
    SESSIONS,
    SUPPRESSIONS,
    TOKENS,
)
from sovproxy.usecases.access.audit_chain import check
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.upkeep.keeping import AUDIT_DAYS, FINDING_DAYS, kept, run_retention

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
DAYS = 183
ADA = Principal("aaaa", "Ada", Role.ADMIN)
CLIENT = "2026-11.aaaabbbbccccdddd"


def ago(days):
    return int((NOW - timedelta(days=days)).timestamp() * 1_000_000)


EXCEPTION = {
    "asked_by": "x", "node": "n", "client": CLIENT, "group": "", "service": "zoom", "host": "",
    "below": False, "role": "", "reason": "why", "wanted": 1, "language": "fr", "rule": "r",
    "action": "block", "version": 1, "decided_by": "", "decided_name": "", "scope": "",
    "message": "", "forgotten": False, "state": "refused",
}  # fmt: skip
PEOPLE = {"requester": "aaaa", "requester_name": "Ada", "reason": "because", "until": 1}
DECIDED = {"decider": "", "decider_name": "", "message": "", "found": ""}


def rows(at):
    """A row of each kind that was made, or ended, at some time; by its table."""
    return {
        ACKNOWLEDGEMENTS: {
            "id": new_id(), "client": CLIENT, "subject": "zoom", "until": at, "time": 1,
            "token": "t",
        },
        EXCEPTIONS: EXCEPTION | {"id": new_id(), "asked": at, "decided": at},
        SESSIONS: {
            "id": str(at), "principal": "p", "created": 1, "used": 1, "expires": at, "agent": "",
            "id_token": "",
        },
        LINKS: {"id": str(at), "account": "a", "created": 1, "expires": at},
        RESOLUTIONS: PEOPLE | DECIDED | {
            "id": str(at), "client": CLIENT, "reference": "", "state": "erased", "created": at,
            "node": "", "unknown_to": "",
        },
        PERSON_REQUESTS: PEOPLE | DECIDED | {
            "id": str(at), "kind": "access", "clients": CLIENT, "named": False, "state": "done",
            "created": at,
        },
        FINDINGS: {
            "kind": "host", "value": str(at), "group": "", "state": "new", "assignee": "",
            "tags": "", "author": "a", "author_name": "A", "created": at, "changed": at,
        },
        SUPPRESSIONS: {
            "kind": "host", "value": "x", "reason": "r", "author": "a", "author_name": "A",
            "created": 1, "expires": at, "lifted_by": "",
        },
        TOKENS: {
            "id": str(at), "name": "n", "role": "admin", "digest": "d", "created": 1,
            "expires": at, "maker": "",
        },
    }  # fmt: skip


KEPT_FOR = {
    ACKNOWLEDGEMENTS: 0, SESSIONS: 0, LINKS: 0, RESOLUTIONS: DAYS, PERSON_REQUESTS: DAYS,
    FINDINGS: FINDING_DAYS, SUPPRESSIONS: FINDING_DAYS, TOKENS: AUDIT_DAYS,
}  # fmt: skip


def count(store, table):
    with store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def put(store, table, at):
    with store.writing() as connection:
        made = connection.execute(insert(table).values(rows(at)[table]))
        if table is FINDINGS:
            note = {"finding": made.inserted_primary_key[0], "time": at, "author": "worker"}
            more = {"author_name": "", "kind": "note", "text": "their words"}
            connection.execute(insert(NOTES).values(note | more))


def test_every_kind_goes_when_its_time_is_over_and_not_a_day_before(any_store):
    for table, days in KEPT_FOR.items():
        put(any_store, table, ago(days + 1))
        put(any_store, table, ago(days - 1))
    run = run_retention(any_store, NOW, DAYS)
    assert run.problem == ""
    left = {table.name: count(any_store, table) for table in (*KEPT_FOR, NOTES)}
    assert left == dict.fromkeys([table.name for table in KEPT_FOR] + ["finding_note"], 1)


def test_events_rollups_and_the_texts_of_exceptions_go(any_store):
    event = {
        "node": "n", "kind": "decision", "client": CLIENT, "host": "zoom.us", "action": "warn",
        "rule": "r", "policy": "p", "policy_version": "1", "outcome": "prompted",
        "transport": "https",
    }  # fmt: skip
    rollup = {"seconds": 60, "node": "n", "rule": "r", "action": "allow", "count": 1}
    for days, limit in ((1, DAYS), (-1, DAYS)):
        at = NOW - timedelta(days=limit + days)
        insert_records(any_store, [Event.model_validate(event | {"time": at}, strict=False)], ())
        start = NOW - timedelta(days=730 + days)
        found = Rollup.model_validate(rollup | {"start": start}, strict=False)
        insert_records(any_store, (), [found])
        put(any_store, EXCEPTIONS, ago(limit + days))
    run_retention(any_store, NOW, DAYS)
    assert (count(any_store, EVENTS), count(any_store, ROLLUPS)) == (1, 1)
    with any_store.reading() as connection:
        texts = connection.execute(select(EXCEPTIONS.c.client, EXCEPTIONS.c.reason)).all()
    assert sorted(map(tuple, texts)) == [("", ""), (CLIENT, "why")]


def test_a_question_that_still_waits_is_not_deleted(any_store):
    put(any_store, RESOLUTIONS, ago(DAYS + 1))
    with any_store.writing() as connection:
        connection.execute(RESOLUTIONS.update().values(state="waiting", until=ago(-1)))
    run_retention(any_store, NOW, DAYS)
    assert count(any_store, RESOLUTIONS) == 1


def test_old_entries_of_the_audit_go_and_what_is_left_is_still_a_chain(any_store):
    for days in (AUDIT_DAYS + 40, AUDIT_DAYS + 1, AUDIT_DAYS - 3, AUDIT_DAYS - 8, 1):
        record_act(any_store, ADA, Act.SEARCH, {"days": days}, now=NOW - timedelta(days=days))
    noted = check(any_store)
    assert run_retention(any_store, NOW, DAYS).deleted["audit"] == 3
    found = check(any_store, [Anchor(noted.head, noted.last, noted.time)])
    assert (found.entries, found.through, found.fault) == (3, 3, None)
    assert run_retention(any_store, NOW, DAYS).deleted["audit"] == 0
    with any_store.reading() as connection:
        last = connection.execute(select(AUDIT).order_by(AUDIT.c.seq.desc())).mappings().first()
    assert (last["what"], last["name"]) == ("audit_checkpoint", "sovproxy")


def test_each_kind_says_how_long_it_is_kept():
    said = {item.kind: item.days for item in kept(DAYS)}
    assert said["events"] == said["exceptions"] == said["resolutions"] == DAYS
    assert (said["findings"], said["tokens"], said["audit"]) == (730, 1095, 1095)
    assert None not in said.values()


@pytest.mark.parametrize(("after", "left"), [(-1, 1), (1, 0)])
def test_keys_and_directories_of_a_node_go_with_the_retention_after_their_month(
    tmp_path, after, left
):
    """What a key made can be told until then, and by nobody afterwards."""
    made = datetime(2026, 1, 10, tzinfo=UTC)
    later = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=DAYS + after)
    clock = [made.timestamp()]
    keys = Pseudonyms(tmp_path / "keys.json", DAYS, clock=lambda: clock[0])
    directory = Directory(tmp_path / "directory", DAYS, clock=lambda: clock[0])
    old = keys.of("10.1.2.3")
    directory.note("10.1.2.3")
    directory.flush()
    clock[0] = later.timestamp()
    keys.of("10.9.9.9")
    directory.flush()
    assert (old in keys.every("10.1.2.3")) == bool(left)
    assert len(list((tmp_path / "directory").iterdir())) == left
