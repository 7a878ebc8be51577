"""Revisions: up and down on both databases, with data, and what they make is what the code has."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from sovproxy.events.event import Event, Rollup
from sovproxy.store.counting import count_facets, trend
from sovproxy.store.database import UnusableStore, connect, open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.migrations import run
from sovproxy.store.newness import new_values
from sovproxy.store.queries import arrived_after, get_event, last_arrival, search
from sovproxy.store.upgrade import HEAD

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007"]
STRANGE = "é\"'\\/ %s ␛<U+202E> %(x)s :y"


def make_event(number=0, **fields):
    values = {
        "time": NOW - timedelta(minutes=17 * number, microseconds=number),
        "node": "n",
        "kind": "decision",
        "client": ("", "2026-11.aaaabbbbccccdddd", "2026-11.eeeeffffgggghhhh")[number % 3],
        "group": ("finance", "")[number % 2],
        "host": ("a.zoom.us", "", "B.example", "x.zoom.us")[number % 4],
        "address": ("", "192.0.2.7", "2001:db8::1")[number % 3],
        "port": (0, 443)[number % 2],
        "action": ("block", "warn")[number % 2],
        "rule": "r",
        "reason": ("", "the operator is controlled from abroad")[number % 2],
        "service": ("zoom", "", "teams")[number % 3],
        "control": ((), ("US",), ("FR", "US"))[number % 3],
        "asn": (0, 30103)[number % 2],
        "alternative": ("", "visio")[number % 2],
        "policy": "p",
        "policy_version": "1",
        "outcome": "closed",
        "transport": ("tcp", "https")[number % 2],
        "decrypted": number % 5 == 0,
    }
    return Event.model_validate(values | fields, strict=False)


def make_rollup(number=0):
    values = {"start": NOW - timedelta(minutes=number), "seconds": 60, "node": "n", "rule": "r"}
    more = {"action": "allow", "count": number + 1, "service": ("visio", "zoom")[number % 2]}
    return Rollup.model_validate(values | more, strict=False)


EVENTS = [
    *(make_event(number) for number in range(300)),
    make_event(service=STRANGE, reason=STRANGE * 20, rule="x" * 100, host="é" * 200),
]
ROLLUPS = [make_rollup(number) for number in range(100)]


@pytest.fixture
def url(dialect, tmp_path, request):
    """An empty database."""
    if dialect == "sqlite":
        return sqlite_url(tmp_path / "store.sqlite")
    return request.getfixturevalue("postgres").empty_database()


@pytest.fixture
def bare(url):
    """A store whose tables nobody has looked at."""
    found = connect(url)
    yield found
    found.close()


def drift(store):
    """What the tables lack, or have more, in the eyes of Alembic."""
    with store.reading() as connection:

        def ours(thing, name, kind, reflected, other):
            if kind == "table":
                return name != "alembic_version" and not name.startswith("event_")
            condition = getattr(thing, "_ddl_if", None)
            return condition is None or condition.dialect == connection.dialect.name

        options = {"compare_type": True, "include_object": ours}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, SQLModel.metadata)


def shape(store):
    """Tables with their columns, keys, indexes and triggers, as the database has them."""
    with store.reading() as connection:
        found = inspect(connection)
        tables = [name for name in found.get_table_names() if not name.startswith("event_2")]
        result = {
            name: (
                sorted(
                    (item["name"], str(item["type"]), item["nullable"])
                    for item in found.get_columns(name)
                ),
                found.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (item["name"] or "", item["column_names"]) for item in found.get_indexes(name)
                ),
                sorted(item["column_names"] for item in found.get_unique_constraints(name)),
            )
            for name in tables
        }
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1"
        if connection.dialect.name == "postgresql":
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
        return result | {"triggers": list(connection.execute(text(query)).scalars())}


def test_the_scripts_end_where_the_code_says():
    script = ScriptDirectory.from_config(run.config())
    assert script.get_heads() == [HEAD]
    assert [item.revision for item in script.walk_revisions()] == REVISIONS[::-1]


def test_revisions_make_what_the_code_has(bare, dialect, tmp_path, request):
    with bare.migrating() as connection:
        run.upgrade(connection, HEAD)
    assert drift(bare) == []
    other = sqlite_url(tmp_path / "other.sqlite")
    if dialect == "postgresql":
        other = request.getfixturevalue("postgres").empty_database()
    made = open_store(other)
    assert drift(made) == []
    assert shape(made) == shape(bare)
    made.close()


def test_every_revision_can_be_taken_back(bare):
    shapes = []
    for revision in REVISIONS:
        with bare.migrating() as connection:
            run.upgrade(connection, revision)
        shapes.append(shape(bare))
    for revision, wanted in zip(REVISIONS[-2::-1], shapes[-2::-1], strict=True):
        with bare.migrating() as connection:
            run.downgrade(connection, revision)
        assert shape(bare) == wanted, revision
    with bare.migrating() as connection:
        run.downgrade(connection, "base")
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def answers(store):
    """Everything that a store can be asked about events and rollups."""
    far = Filter(since=NOW - timedelta(days=2, minutes=3))
    asked = (Filter(), far, Filter(service=["zoom"]), Filter(host=[".zoom.us"]))
    return (
        [search(store, wanted, 500).events for wanted in asked],
        [count_facets(store, tuple(Facet), wanted) for wanted in asked],
        [trend(store, wanted, width) for wanted in asked for width in (60, 3600, 86_400)],
        [new_values(store, kind, Filter(), 500) for kind in ("service", "asn", "host")],
        arrived_after(store, Filter(), 150),
        last_arrival(store),
    )


def test_data_survives_the_way_down_and_up_again(url):
    store = open_store(url)
    insert_records(store, EVENTS, ROLLUPS)
    before = answers(store)
    for revision in REVISIONS[-2::-1]:
        with store.migrating() as connection:
            run.downgrade(connection, revision)
    with store.reading() as connection:
        rows = connection.execute(text("SELECT * FROM event ORDER BY seq")).mappings().all()
    assert [row["host"] for row in rows] == [event.host for event in EVENTS]
    assert [row["transport"] for row in rows] == [event.transport for event in EVENTS]
    store.close()
    again = open_store(url)
    assert answers(again) == before
    assert insert_records(again, [*EVENTS, make_event(1)], ROLLUPS).accepted == 1
    assert get_event(again, EVENTS[-1].id) == EVENTS[-1]
    assert last_arrival(again) > len(EVENTS)
    again.close()


def test_a_store_that_says_version_2_is_brought_up_to_date(url):
    store = open_store(url)
    insert_records(store, EVENTS, ROLLUPS)
    before = answers(store)
    with store.migrating() as connection:
        run.downgrade(connection, "0001")
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(
            text(
                "INSERT INTO audit (time, token, name, role, what, filter, rows)"
                " VALUES (1, 't', 'n', 'analyst', 'search', '{}', 3)"
            )
        )
    store.close()
    again = open_store(url)
    assert answers(again) == before
    with again.reading() as connection:
        assert connection.scalar(text("SELECT details FROM audit")) == "{}"
    again.close()


def test_many_rows_are_written_anew_in_pieces(url, monkeypatch):
    """Several pieces and several blocks."""
    monkeypatch.setattr("sovproxy.store.migrations.compact.CHUNK", 70)
    monkeypatch.setattr("sovproxy.store.migrations.compact.BLOCK", 100)
    monkeypatch.setattr("sovproxy.store.migrations.compact._REMEMBERED", 5)
    test_data_survives_the_way_down_and_up_again(url)


@pytest.mark.parametrize("version", ["9999", "0008"])
def test_a_newer_store_is_refused_by_name(url, version):
    store = open_store(url)
    with store.writing() as connection:
        statement = text("UPDATE alembic_version SET version_num = :version")
        connection.execute(statement, {"version": version})
    store.close()
    with pytest.raises(UnusableStore, match=f"revision {version}, this sovproxy works with {HEAD}"):
        open_store(url)


@pytest.mark.parametrize("version", [0, 3, 99])
def test_a_version_that_never_was_is_refused_by_name(url, version):
    bare = connect(url)
    with bare.writing() as connection:
        connection.execute(text("CREATE TABLE sovproxy_schema (version INTEGER)"))
        statement = text("INSERT INTO sovproxy_schema VALUES (:version)")
        connection.execute(statement, {"version": version})
    bare.close()
    with pytest.raises(UnusableStore, match=f"version {version}, this sovproxy works with 3"):
        open_store(url)


def test_a_database_of_somebody_else_is_refused(url):
    bare = connect(url)
    with bare.writing() as connection:
        connection.execute(text("CREATE TABLE invoices (number INTEGER)"))
    bare.close()
    with pytest.raises(UnusableStore, match="not sovproxy's"):
        open_store(url)


def test_an_older_sovproxy_would_refuse_the_store(any_store):
    """It reads nothing but this number."""
    with any_store.reading() as connection:
        assert connection.scalar(text("SELECT max(version) FROM sovproxy_schema")) == 3


def test_an_upgrade_that_fails_changes_nothing(url, monkeypatch):
    store = open_store(url)
    insert_records(store, EVENTS, ROLLUPS)
    with store.migrating() as connection:
        run.downgrade(connection, "0002")
    before = shape(store)
    monkeypatch.setattr("sovproxy.store.migrations.compact._tallies", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_store(url)
    assert shape(store) == before
    monkeypatch.undo()
    open_store(url).close()
    store.close()


OPENER = """
import sys
from sovproxy.store.database import open_store
open_store(sys.argv[1]).close()
"""


@pytest.mark.parametrize("old", [False, True])
def test_processes_that_open_at_the_same_moment_all_succeed(url, old):
    if old:
        store = open_store(url)
        insert_records(store, EVENTS, ROLLUPS)
        with store.migrating() as connection:
            run.downgrade(connection, "0001")
        store.close()
    openers = [subprocess.Popen([sys.executable, "-c", OPENER, url]) for _ in range(4)]
    assert [opener.wait() for opener in openers] == [0, 0, 0, 0]
    again = open_store(url)
    assert len(search(again, Filter(), 500).events) == (len(EVENTS) if old else 0)
    again.close()


def test_entries_of_the_audit_cannot_be_changed(any_store):
    with any_store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO audit (time, token, name, role, what, details, rows)"
                " VALUES (1, 't', 'n', 'analyst', 'search', '{}', 3)"
            )
        )
    statements = ["UPDATE audit SET rows = 0", "DELETE FROM audit"]
    if any_store.dialect == "postgresql":
        statements.append("TRUNCATE audit")
    for statement in statements:
        with pytest.raises(Exception, match="only added to"), any_store.writing() as connection:
            connection.execute(text(statement))
