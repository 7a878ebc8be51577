"""The audit's chain: whoever writes to the database past sovproxy is found out."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sovproxy.store.audit import add_entry, append_entry, delete_before, last_entry
from sovproxy.store.chain import Anchor, Deleted, entry_hash
from sovproxy.store.database import open_store
from sovproxy.store.migrations import run
from sovproxy.store.tables import AuditRow
from sovproxy.store.tables.audit import CHECKPOINT
from sovproxy.usecases.access.audit_chain import AuditWatch, check
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role

ADA = Principal("aaaa", "Ada", Role.ADMIN)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PUT = (
    "INSERT INTO audit (seq, time, token, name, role, what, details, rows, hash)"
    " VALUES (%d, 1, 't', 'n', 'admin', 'event', '{}', 0, 'x')"
)


def fill(store, number=8):
    for index in range(number):
        at = NOW + timedelta(days=index)
        record_act(store, ADA, Act.SEARCH, {"service": ["zoom"], "é": index}, rows=index, now=at)


@pytest.fixture
def filled(any_store):
    """Eight entries, and a hand that writes past everything that guards them."""
    fill(any_store)
    return any_store


def tamper(store, *statements):
    """As the owner of the database: the triggers are out of the way, and come back."""
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        else:
            for name in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER audit_no_{name}"))
        for statement in statements:
            connection.execute(text(statement))


def rewrite(store, begin):
    """Write every hash from an entry on anew, as a thief who knows the code would."""
    with store.writing() as connection:
        rows = connection.execute(text("SELECT * FROM audit ORDER BY seq")).mappings().all()
        before = next((row["hash"] for row in rows[::-1] if row["seq"] < begin), "0" * 64)
        for row in rows:
            if row["seq"] >= begin:
                before = entry_hash(before, row)
                statement = text("UPDATE audit SET hash = :hash WHERE seq = :seq")
                connection.execute(statement, {"hash": before, "seq": row["seq"]})


def test_entries_are_chained_as_they_are_added(filled):
    found = check(filled)
    assert (found.entries, found.first, found.last, found.fault) == (8, 1, 8, None)
    assert found.head == last_entry(filled).hash
    with filled.reading() as connection:
        hashes = list(connection.execute(text("SELECT hash FROM audit")).scalars())
    assert len(set(hashes)) == 8


SWAP = (
    "UPDATE audit SET seq = -1 WHERE seq = 3",
    "UPDATE audit SET seq = 3 WHERE seq = 4",
    "UPDATE audit SET seq = 4 WHERE seq = -1",
)


CHANGES = {
    "a word changed": (("UPDATE audit SET name = 'Eve' WHERE seq = 4",), 4, "changed"),
    "a time changed": (("UPDATE audit SET time = time + 1 WHERE seq = 1",), 1, "changed"),
    "the last changed": (("UPDATE audit SET rows = 0 WHERE seq = 8",), 8, "changed"),
    "its hash taken": (("UPDATE audit SET hash = '' WHERE seq = 5",), 5, "changed"),
    "one taken out": (("DELETE FROM audit WHERE seq = 3",), 3, "removed"),
    "the first taken out": (("DELETE FROM audit WHERE seq < 3",), 1, "removed"),
    "some taken out": (("DELETE FROM audit WHERE seq IN (4, 5, 6)",), 4, "removed"),
    "two swapped": (SWAP, 3, "moved"),
    "one put later": (("UPDATE audit SET seq = 20 WHERE seq = 2",), 2, "moved"),
    "one put in": (
        (
            "UPDATE audit SET seq = seq + 100 WHERE seq > 4",
            "UPDATE audit SET seq = seq - 99 WHERE seq > 100",
            PUT % 5,
        ),
        5,
        "moved",
    ),
    "one put at the end": (
        (PUT % 9,),
        9,
        "changed",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_done_to_the_raw_tables_is_named_by_its_first_entry(filled, name):
    statements, seq, kind = CHANGES[name]
    tamper(filled, *statements)
    found = check(filled)
    assert found.fault is not None
    assert (found.fault.seq, found.fault.kind) == (seq, kind)
    assert found.entries == seq - 1


def test_an_entry_put_into_a_gap_is_named(filled):
    """PostgreSQL gave numbers to entries that were never written; such gaps are old."""
    tamper(filled, "UPDATE audit SET seq = 20 WHERE seq = 8")
    rewrite(filled, 8)
    assert check(filled).fault is None
    with filled.writing() as connection:
        connection.execute(text(PUT % 12))
    fault = check(filled).fault
    assert (fault.seq, fault.kind) == (12, "inserted")


@pytest.mark.parametrize("noted", ["with its number", "the hash alone"])
def test_a_tail_that_was_cut_off_is_seen_by_a_noted_hash(filled, noted):
    anchor = last_entry(filled)
    anchor = anchor if noted == "with its number" else Anchor(anchor.hash)
    tamper(filled, "DELETE FROM audit WHERE seq > 6")
    assert check(filled).fault is None
    found = check(filled, [anchor])
    assert (found.fault.seq, found.fault.kind, found.entries) == (7, "cut", 6)


@pytest.mark.parametrize("noted", ["with its number", "the hash alone"])
def test_an_audit_that_was_written_anew_as_a_whole_is_seen_by_a_noted_hash(filled, noted):
    anchor = last_entry(filled)
    tamper(filled, "UPDATE audit SET name = 'Eve' WHERE seq = 4")
    rewrite(filled, 4)
    fill(filled, 2)
    assert check(filled).fault is None
    if noted == "with its number":
        fault = check(filled, [anchor]).fault
        assert (fault.seq, fault.kind) == (8, "rewritten")
    else:
        assert check(filled, [Anchor(anchor.hash)]).fault.kind == "cut"


def test_a_tail_that_was_cut_off_and_grew_again_is_seen(filled):
    anchor = last_entry(filled)
    tamper(filled, "DELETE FROM audit WHERE seq > 6")
    fill(filled, 4)
    assert check(filled).fault is None
    assert check(filled, [anchor]).fault.kind == "rewritten"


def checkpoint(told):
    details = json.dumps({"through": told.through, "hash": told.hash, "until": told.until})
    return AuditRow(
        time=told.until + 1000, token="", name="sovproxy", role="admin", what=CHECKPOINT,
        details=details, rows=0,
    )  # fmt: skip


def at(days):
    return int((NOW + timedelta(days=days)).timestamp() * 1_000_000)


def test_retention_leaves_a_chain_that_can_be_checked(filled):
    anchor = last_entry(filled)
    assert delete_before(filled, at(3), checkpoint) == 3
    found = check(filled, [anchor])
    assert (found.entries, found.first, found.through, found.fault) == (6, 4, 3, None)
    assert delete_before(filled, at(3), checkpoint) == 0
    fill(filled, 1)
    assert delete_before(filled, at(5), checkpoint) == 2
    assert check(filled, [anchor]).fault is None
    tamper(filled, "DELETE FROM audit WHERE seq = 6")
    assert check(filled).fault.kind == "removed"


def test_retention_may_delete_nothing_that_it_did_not_name(filled):
    delete_before(filled, at(3), checkpoint)
    with pytest.raises(Exception, match="only added to"), filled.writing() as connection:
        connection.execute(text("DELETE FROM audit WHERE seq = 4"))
    assert check(filled).fault is None


def test_an_entry_that_says_retention_did_it_meets_the_noted_hashes(filled):
    """Whoever can write may pretend that it was too old; what was noted says how old it was."""
    known = replace(last_entry(filled), seq=8)
    append_entry(filled, checkpoint(replace_through(filled, 8)))
    tamper(filled, "DELETE FROM audit WHERE seq <= 8")
    assert check(filled).fault is None
    fault = check(filled, [known]).fault
    assert (fault.seq, fault.kind) == (8, "removed")


def replace_through(store, seq):
    return Deleted(seq, last_entry(store).hash, at(-900))


def test_a_deleted_entry_that_came_back_is_named(filled):
    delete_before(filled, at(3), checkpoint)
    with filled.writing() as connection:
        connection.execute(text(PUT % 2))
    fault = check(filled).fault
    assert (fault.seq, fault.kind) == (2, "inserted")


def test_entries_from_before_the_chain_are_chained_by_the_upgrade(store_url):
    store = open_store(store_url)
    with store.migrating() as connection:
        run.downgrade(connection, "0005")
        for seq in (1, 2, 5, 6):  # a number that was never used
            statement = (
                "INSERT INTO audit (seq, time, token, name, role, what, details, rows)"
                " VALUES (:seq, :seq, 't', 'é%', 'analyst', 'events', '{}', 3)"
            )
            connection.execute(text(statement), {"seq": seq})
    store.close()
    again = open_store(store_url)
    fill(again, 2)
    found = check(again)
    assert (found.entries, found.last, found.fault) == (6, 8, None)
    tamper(again, "UPDATE audit SET rows = 4 WHERE seq = 5")
    fault = check(again).fault
    assert (fault.seq, fault.says) == (3, "entries 3 to 4 taken out, or entry 5 changed")
    again.close()


WRITER = """
import sys
from sovproxy.store.database import open_store
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
store = open_store(sys.argv[1])
for number in range(15):
    record_act(store, Principal("t", sys.argv[2], Role.ADMIN), Act.SEARCH, {"number": number})
store.close()
"""


def test_processes_and_threads_that_write_at_once_make_one_chain(store_url):
    store = open_store(store_url)
    command = [sys.executable, "-c", WRITER, store_url]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(2)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fill(store, 5), range(4)))
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = check(store)
    assert (found.entries, found.last, found.fault) == (50, 50, None)
    store.close()


def test_an_entry_that_is_rolled_back_leaves_no_trace(filled):
    head = last_entry(filled)
    with filled.writing() as connection:
        add_entry(connection, checkpoint(replace_through(filled, 1)))
        connection.rollback()
    assert last_entry(filled) == head
    fill(filled, 1)
    assert check(filled).fault is None


@given(
    st.lists(st.tuples(st.text(max_size=20), st.integers(0, 2**62)), min_size=2, max_size=5),
    st.data(),
)
def test_no_two_different_entries_have_one_hash(entries, data):
    """Whatever moves from one field to the next makes another hash."""
    base = {"seq": 1, "token": "", "role": "", "what": "", "details": ""}
    texts = {entry_hash("0" * 64, base | {"name": a, "time": b, "rows": 0}) for a, b in entries}
    assert len(texts) == len(set(entries))
    name, _ = data.draw(st.sampled_from(entries))
    one = base | {"name": name, "token": "x", "time": 0, "rows": 0}
    other = base | {"name": name + "x", "token": "", "time": 0, "rows": 0}
    assert entry_hash("0" * 64, one) != entry_hash("0" * 64, other)


def test_the_newest_entry_is_noted_beside_the_database_and_checked_against(filled, tmp_path):
    watch = AuditWatch(filled, tmp_path / "noted" / "anchors.jsonl")
    assert watch.note() == last_entry(filled)
    assert watch.note() is None
    fill(filled, 1)
    assert watch.note().seq == 9
    assert watch.check(NOW).fault == ""
    assert (tmp_path / "noted" / "anchors.jsonl").stat().st_mode & 0o777 == 0o600
    tamper(filled, "UPDATE audit SET name = 'Eve' WHERE seq = 9")
    rewrite(filled, 9)
    fill(filled, 1)
    assert check(filled).fault is None
    assert watch.note() is None, "what does not follow from what was noted is not noted"
    assert watch.check(NOW).fault.startswith("rewritten: entry 9")


def test_anchors_that_cannot_be_read_are_a_fault_and_stay(filled, tmp_path):
    path = tmp_path / "anchors.jsonl"
    path.write_text("nonsense\n")
    watch = AuditWatch(filled, path)
    assert watch.note() is None
    assert "cannot be read" in watch.check(NOW).fault
    assert path.read_text() == "nonsense\n"
