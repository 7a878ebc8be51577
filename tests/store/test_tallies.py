"""Counts that are kept while records arrive are those that counting the records would give."""

from __future__ import annotations

import itertools
import random
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.store.counting import Piece, count_by, count_facets, cut, trend
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.newness import new_values
from sovproxy.store.queries import search
from sovproxy.store.retention import delete_old_events, delete_old_rollups
from sovproxy.store.times import microseconds
from tests.store.made import NOW, make_event, make_rollup

SECOND = 1_000_000
DRAW = random.Random(7)  # noqa: S311 - draws test data


def some_event():
    return make_event(
        time=NOW - timedelta(seconds=DRAW.randrange(10 * 86_400)),
        service=DRAW.choice(["zoom", "teams", ""]),
        control=DRAW.choice([(), ("US",), ("FR", "US")]),
        action=DRAW.choice(["warn", "block"]),
        kind=DRAW.choice(["decision", "decision", "acknowledgement"]),
        host=DRAW.choice(["a.zoom.us", "b.zoom.us", "x.example"]),
        client=DRAW.choice(["2026-11.aaaabbbbccccdddd", ""]),
    )


def some_rollup():
    start = NOW - timedelta(minutes=DRAW.randrange(10 * 1440))
    return make_rollup(
        start=start, service=DRAW.choice(["visio", "zoom"]), count=DRAW.randrange(1, 9)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(any_store):
    return any_store


EVENTS = [some_event() for _ in range(400)]
ROLLUPS = [some_rollup() for _ in range(200)]


def expected(wanted):
    """Counts by service, by reading every record."""
    totals = {}
    since, until = wanted.since or datetime.min.replace(tzinfo=UTC), wanted.until or NOW
    for event in EVENTS:
        fits = not wanted.host or event.host in wanted.host
        fits &= not wanted.control or bool(set(wanted.control) & set(event.control))
        if fits and event.kind == "decision" and since <= event.time < until:
            totals[event.service] = totals.get(event.service, 0) + 1
    for rollup in ROLLUPS if not (wanted.host or wanted.control) else ():
        if since <= rollup.start < until:
            totals[rollup.service] = totals.get(rollup.service, 0) + rollup.count
    return totals


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(until=NOW),
        Filter(since=NOW - timedelta(days=3, minutes=7), until=NOW),
        Filter(since=NOW - timedelta(days=9, hours=2), until=NOW - timedelta(days=8, minutes=1)),
        Filter(since=NOW - timedelta(minutes=50), until=NOW),
        Filter(since=NOW - timedelta(hours=30), until=NOW - timedelta(hours=2), control=["US"]),
        Filter(since=NOW - timedelta(days=5), until=NOW, host=["a.zoom.us"]),
        Filter(until=NOW - timedelta(days=9, hours=20)),
    ],
)
def test_days_hours_and_records_together_give_what_records_give(store, wanted):
    insert_records(store, EVENTS, ROLLUPS)
    counts = {item.value: item.total for item in count_by(store, Facet.SERVICE, wanted)}
    assert counts == expected(wanted)
    for width in (60, 3600, 10_800, 86_400):
        assert sum(trend(store, wanted, width).values()) == sum(expected(wanted).values())


def test_a_repeated_batch_is_counted_once(store):
    insert_records(store, EVENTS[:50], ROLLUPS[:50])
    before = count_facets(store, tuple(Facet), Filter())
    insert_records(store, EVENTS[:50] + EVENTS[:50], ROLLUPS[:50])
    assert count_facets(store, tuple(Facet), Filter()) == before
    insert_records(store, EVENTS[25:75], [])
    store_again = {item.value: item.total for item in count_by(store, Facet.ACTION, Filter())}
    records = [event for event in EVENTS[:75] if event.kind == "decision"]
    blocked = [event for event in records if event.action == "block"]
    assert store_again["block"] == len(blocked)


def test_a_batch_that_fails_is_not_counted(store, monkeypatch):
    monkeypatch.setattr("sovproxy.store.writing.add_seen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        insert_records(store, [make_event(service="new")], [])
    monkeypatch.undo()
    assert count_by(store, Facet.SERVICE, Filter()) == []
    insert_records(store, [make_event(service="other"), make_event(service="new")], [])
    counts = count_by(store, Facet.SERVICE, Filter())
    assert [(item.value, item.total) for item in counts] == [("new", 1), ("other", 1)]


def test_two_open_stores_see_each_others_sorts(store, store_url):
    other = open_store(store_url)
    insert_records(store, [make_event(service="a")], [])
    insert_records(other, [make_event(service="b"), make_event(service="a")], [])
    for opened in (store, other):
        counts = count_by(opened, Facet.SERVICE, Filter())
        assert [(item.value, item.total) for item in counts] == [("a", 2), ("b", 1)]
    other.close()


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [
        (None, None, [86_400]),
        (0, 86_400, [86_400]),
        (1, 86_401, [0, 0, 3600]),
        (3600, 90_000, [3600]),
        (1, 2, [0]),
        (3599, 7201, [0, 0, 3600]),
        (1, 3 * 86_400 - 1, [0, 0, 3600, 3600, 86_400]),
    ],
)
def test_a_range_is_cut_into_the_longest_pieces_without_gap(begin, end, seconds):
    whole = Piece(
        None if begin is None else begin * SECOND, None if end is None else end * SECOND, 0
    )
    pieces = cut(whole, [86_400, 3600])
    assert sorted(piece.seconds for piece in pieces) == seconds
    ordered = sorted(pieces, key=lambda piece: piece.begin or 0)
    assert (ordered[0].begin, ordered[-1].end) == (whole.begin, whole.end)
    for before, after in itertools.pairwise(ordered):
        assert before.end == after.begin


def test_what_is_rare_is_found_far_from_the_newest(store):
    """Further back than the nearest 10,000 events, where indexes have to lead."""
    rare = make_event(
        time=NOW - timedelta(days=2), rule="rare", host="rare.example", control=("CN",)
    )
    common = [make_event(time=NOW - timedelta(seconds=n)) for n in range(10_050)]
    insert_records(store, [rare, *common], [])
    for wanted in (
        Filter(rule=["rare"]),
        Filter(control=["CN"]),
        Filter(host=["rare.example"]),
        Filter(host=[".example"]),
        Filter(host_contains=["rare"]),
        Filter(host_contains=["rare"], rule=["rare"], until=NOW - timedelta(days=1)),
    ):
        assert search(store, wanted, 5).events == [rare]
    assert search(store, Filter(rule=["rare"], host=["x"]), 5).events == []
    assert search(store, Filter(rule=["none"]), 5).events == []


def test_retention_keeps_counts_and_forgets_hosts(store):
    old = make_event(time=NOW - timedelta(days=200), host="old.example", service="zoom")
    insert_records(store, [old, make_event(host="new.example")], [])
    assert delete_old_events(store, NOW, days=183) == 1
    assert [host for host, _ in new_values(store, "host", Filter(), 9)] == ["new.example"]
    assert sum(item.total for item in count_by(store, Facet.SERVICE, Filter())) == 2
    delete_old_rollups(store, NOW, days=100)
    assert sum(item.total for item in count_by(store, Facet.SERVICE, Filter())) == 1


V1_EVENT = """CREATE TABLE event (seq INTEGER PRIMARY KEY, id CHAR(32) NOT NULL UNIQUE,
time BIGINT NOT NULL, node VARCHAR NOT NULL, kind VARCHAR NOT NULL, client VARCHAR NOT NULL,
"group" VARCHAR NOT NULL, host VARCHAR NOT NULL, address VARCHAR NOT NULL, port INTEGER NOT NULL,
action VARCHAR NOT NULL, rule VARCHAR NOT NULL, reason VARCHAR NOT NULL, service VARCHAR NOT NULL,
operator VARCHAR NOT NULL, control VARCHAR NOT NULL, standing VARCHAR NOT NULL,
location VARCHAR NOT NULL, asn BIGINT NOT NULL, alternative VARCHAR NOT NULL,
policy VARCHAR NOT NULL, policy_version VARCHAR NOT NULL, outcome VARCHAR NOT NULL,
transport VARCHAR NOT NULL, decrypted BOOLEAN NOT NULL)"""
V1_ROLLUP = """CREATE TABLE rollup (seq INTEGER PRIMARY KEY, id CHAR(32) NOT NULL UNIQUE,
start BIGINT NOT NULL, seconds INTEGER NOT NULL, node VARCHAR NOT NULL, "group" VARCHAR NOT NULL,
service VARCHAR NOT NULL, control VARCHAR NOT NULL, standing VARCHAR NOT NULL,
location VARCHAR NOT NULL, asn BIGINT NOT NULL, action VARCHAR NOT NULL, rule VARCHAR NOT NULL,
count BIGINT NOT NULL)"""


def write_version_1(path, events, rollups):
    """A file as the first version made it."""
    connection = sqlite3.connect(path)
    connection.executescript(f"{V1_EVENT};{V1_ROLLUP};")
    connection.execute("CREATE INDEX event_time ON event (time)")
    connection.execute("CREATE INDEX event_service_time ON event (service, time)")
    connection.execute("CREATE TABLE sovproxy_schema (version INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO sovproxy_schema VALUES (1)")
    for table, records, time in (("event", events, "time"), ("rollup", rollups, "start")):
        for record in records:
            row = record.__dict__ | {
                "id": record.id.hex,
                time: microseconds(getattr(record, time)),
                "control": ",".join(record.control),
            }
            if table == "rollup":
                del row["decrypted"]  # which later versions count
            names = ",".join(f'"{name}"' for name in row)
            marks = ",".join("?" * len(row))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            connection.execute(statement, list(row.values()))
    connection.commit()
    connection.close()


def test_a_file_of_version_1_is_brought_up_to_date_with_all_its_counts(path, tmp_path):
    strange = make_event(service="é\"'\\/ ␛<U+202E>", rule="x" * 100, decrypted=True)
    events, rollups = [*EVENTS, strange], ROLLUPS
    write_version_1(path, events, rollups)
    migrated, fresh = (
        open_store(sqlite_url(path)),
        open_store(sqlite_url(tmp_path / "fresh.sqlite")),
    )
    insert_records(fresh, events, rollups)
    everything = Filter(since=NOW - timedelta(days=4, minutes=3))
    for wanted in (Filter(), everything, Filter(service=["zoom"]), Filter(host=[".zoom.us"])):
        old, new = (count_facets(store, tuple(Facet), wanted) for store in (migrated, fresh))
        assert old == new
        assert trend(migrated, wanted, 3600) == trend(fresh, wanted, 3600)
    for kind in ("service", "asn", "host"):
        old, new = (new_values(store, kind, Filter(), 50) for store in (migrated, fresh))
        assert old == new
    insert_records(migrated, [strange, make_event(service=strange.service)], [])
    counts = count_by(migrated, Facet.SERVICE, Filter(service=[strange.service]))
    assert [item.total for item in counts] == [2]
    migrated.close()
    again = open_store(sqlite_url(path))
    assert len(search(again, Filter(), 1000).events) == len(events) + 1
    again.close()
    fresh.close()
