from __future__ import annotations

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from sovproxy.store.counting import count_by
from sovproxy.store.database import StoreUnavailable, UnusableStore, open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.queries import arrived_after, get_event, last_arrival, search
from sovproxy.store.retention import delete_old_events, delete_old_rollups
from tests.store.made import NOW, make_event, make_rollup


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "store.sqlite"


@pytest.fixture
def sqlite_store(path):
    opened = open_store(sqlite_url(path))
    yield opened
    opened.close()


@pytest.fixture
def store(any_store):
    return any_store


def test_sqlite_is_durable_and_lets_readers_read_while_one_writes(sqlite_store):
    with sqlite_store.reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_the_file_can_be_read_by_its_owner_only(sqlite_store, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_who_reads_while_sorts_are_being_taken_in_waits_for_them(sqlite_store, monkeypatch):
    """Else rows would have sorts that the reader's snapshot does not: a page of events failed."""
    insert_records(sqlite_store, [make_event(rule="first"), make_event(rule="second")], [])
    book = sqlite_store.sorts
    drawing, go_on, draw = threading.Event(), threading.Event(), book._draw

    def draw_slowly(sorts):
        drawing.set()
        assert go_on.wait(20)
        return draw(sorts)

    def sorts_of_a_reader():
        with sqlite_store.reading() as connection:
            return len(book.snapshot(connection).sorts)

    monkeypatch.setattr(book, "_draw", draw_slowly)
    with ThreadPoolExecutor(2) as readers:
        first = readers.submit(sorts_of_a_reader)
        assert drawing.wait(20)
        second = readers.submit(sorts_of_a_reader)
        with suppress(TimeoutError):
            second.result(0.5)
        go_on.set()
        assert (first.result(20), second.result(20)) == (3, 3)


def test_an_event_comes_back_exactly_as_it_was(store):
    event = make_event(
        time=NOW + timedelta(microseconds=123_457), control=("US", "FR"), asn=2**32 - 1, port=65535
    )
    insert_records(store, [event, make_event()], [])
    assert get_event(store, event.id) == event


def test_opening_again_keeps_what_is_stored(store, store_url):
    insert_records(store, [make_event()], [])
    again = open_store(store_url)
    assert len(search(again, Filter(), 10).events) == 1
    again.close()


@pytest.mark.parametrize(
    "url",
    ["", "x", "sqlite://", "sqlite:///:memory:", "nosuchdatabase://x", "sqlite+nodriver:///x"],
)
def test_a_url_that_is_no_store_is_refused(url):
    with pytest.raises(UnusableStore, match="the store"):
        open_store(url)


def test_a_folder_that_cannot_be_made_is_a_clear_error():
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        open_store("sqlite:////proc/sovproxy/store.sqlite")


def test_a_file_that_is_no_database_is_a_clear_error(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(sqlite_url(path))


INSERTER = """
import sys
from sovproxy.events.event import Event
from sovproxy.store.database import open_store
from sovproxy.store.deliveries import insert_records
store = open_store(sys.argv[1])
accepted = duplicates = 0
for line in sys.stdin.buffer:
    stored = insert_records(store, [Event.model_validate_json(line)], [])
    accepted, duplicates = accepted + stored.accepted, duplicates + stored.duplicates
print(accepted, duplicates)
"""


def test_processes_that_deliver_the_same_events_store_each_once(dialect, tmp_path, request):
    """They also open the store at the same moment, while it has no tables yet."""
    lines = tmp_path / "events.jsonl"
    lines.write_bytes(b"".join(make_event().to_json() + b"\n" for _ in range(50)))
    url = sqlite_url(tmp_path / "new.sqlite")
    if dialect == "postgresql":
        url = request.getfixturevalue("postgres").empty_database()
    command = [sys.executable, "-c", INSERTER, url]
    workers = [
        subprocess.Popen(command, stdin=lines.open("rb"), stdout=subprocess.PIPE) for _ in range(3)
    ]
    results = [tuple(map(int, worker.communicate()[0].split())) for worker in workers]
    assert sum(accepted for accepted, _ in results) == 50
    assert sum(duplicates for _, duplicates in results) == 100


def test_a_batch_is_stored_whole_or_not_at_all(store, monkeypatch):
    monkeypatch.setattr("sovproxy.store.writing.add_seen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        insert_records(store, [make_event(), make_event(host="zoom.us")], [make_rollup()])
    monkeypatch.undo()
    assert search(store, Filter(), 10).events == []
    assert last_arrival(store) == 0
    insert_records(store, [make_event(host="zoom.us")], [])
    assert [event.host for event in search(store, Filter(), 10).events] == ["zoom.us"]


def test_retention_deletes_old_events_in_batches_and_keeps_the_others(store):
    old = [make_event(time=NOW - timedelta(days=184, minutes=n)) for n in range(25)]
    kept = [make_event(time=NOW - timedelta(days=182)), make_event()]
    insert_records(store, old + kept, [])
    assert delete_old_events(store, NOW, days=183, batch=10) == 25
    assert {event.id for event in search(store, Filter(), 50).events} == {e.id for e in kept}
    assert delete_old_events(store, NOW, days=183, batch=10) == 0


def test_retention_of_rollups_has_its_own_length(store):
    insert_records(store, [], [make_rollup(start=NOW - timedelta(days=days)) for days in (1, 800)])
    assert delete_old_rollups(store, NOW) == 1
    assert [count.total for count in count_by(store, Facet.RULE, Filter())] == [1]


def test_arrival_is_followed_whatever_the_events_own_time(store):
    """What waited in a node's spool for a day arrives now, and tail must show it."""
    insert_records(store, [make_event()], [])
    seen = last_arrival(store)
    late = make_event(time=NOW - timedelta(days=1))
    insert_records(store, [late], [])
    events, seen = arrived_after(store, Filter(), seen)
    assert events == [late]
    assert arrived_after(store, Filter(), seen) == ([], seen)


def test_following_with_a_filter_skips_what_does_not_fit_for_good(store):
    insert_records(store, [make_event(rule="a"), make_event(rule="b"), make_event(rule="a")], [])
    wanted = Filter(rule=["a"])
    first, seen = arrived_after(store, wanted, 0, limit=1)
    second, seen = arrived_after(store, wanted, seen, limit=10)
    assert len(first) == len(second) == 1
    insert_records(store, [make_event(rule="b")], [])
    assert arrived_after(store, wanted, seen)[0] == []
