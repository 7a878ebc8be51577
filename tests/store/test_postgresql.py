"""What only PostgreSQL has: partitions, many processes, and a server that can be killed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sovproxy.store.counting import count_by
from sovproxy.store.database import StoreUnavailable, open_store
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.partitions import WEEKS_AHEAD
from sovproxy.store.queries import get_event, search
from sovproxy.store.retention import delete_old_events
from tests.store.made import NOW, make_event


@pytest.fixture
def store(postgres):
    found = open_store(postgres.store_database())
    yield found
    found.close()


def partitions(store):
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event'::regclass"
    with store.reading() as connection:
        return set(connection.execute(text(query)).scalars())


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_driver_is_found_by_itself(postgres, scheme):
    url = postgres.store_database().replace("postgresql://", f"{scheme}://")
    found = open_store(url)
    assert found.dialect == "postgresql"
    found.close()


def test_each_week_has_a_partition_also_what_is_late(store):
    late = make_event(time=NOW - timedelta(days=400))
    insert_records(store, [make_event(), late], [])
    assert {"event_20261123", "event_20251013", "event_early", "event_late"} <= partitions(store)
    assert get_event(store, late.id) == late
    assert insert_records(store, [late, make_event(time=NOW)], []).duplicates == 1


def test_times_that_cannot_be_make_no_partition(store):
    before = partitions(store)
    odd = [make_event(time=datetime(year, 1, 1, tzinfo=UTC)) for year in (1971, 2019, 2070, 9998)]
    assert insert_records(store, odd, []).accepted == 4
    assert insert_records(store, odd, []).duplicates == 4
    assert partitions(store) == before
    assert search(store, Filter(), 9).events == odd[::-1]


def test_retention_drops_whole_weeks_and_deletes_the_rest(store):
    old = [make_event(time=NOW - timedelta(days=days)) for days in range(1, 60)]
    insert_records(store, old, [])
    assert "event_20261005" in partitions(store)
    assert delete_old_events(store, NOW, days=30) == 29
    left = partitions(store)
    assert "event_20261012" not in left
    assert "event_20261019" in left
    assert {event.id for event in search(store, Filter(), 99).events} == {e.id for e in old[:30]}
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM event")) == 30
        assert connection.scalar(text("SELECT count(*) FROM word WHERE kind <> 'detail'")) == 0
    assert sum(item.total for item in count_by(store, Facet.RULE, Filter())) == 59


def test_retention_makes_partitions_ahead(store):
    delete_old_events(store, NOW, days=30)
    coming = NOW + timedelta(weeks=WEEKS_AHEAD)
    assert f"event_{coming:%Y%m%d}" in partitions(store)


def test_several_writers_count_everything_once(postgres):
    """As several API processes do: each has caches of its own."""
    url = postgres.store_database()
    stores = [open_store(url) for _ in range(4)]
    events = [
        [make_event(service=f"s{n % 7}", host=f"h{n % 11}.example") for n in range(200)]
        for _ in stores
    ]

    def deliver(store, own):
        for begin in range(0, 200, 20):
            insert_records(store, own[begin : begin + 20], [])
            insert_records(store, own[begin : begin + 20], [])

    threads = [
        threading.Thread(target=deliver, args=pair) for pair in zip(stores, events, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        counts = count_by(store, Facet.SERVICE, Filter())
        assert sum(item.total for item in counts) == 800
        assert len(counts) == 7
        assert len(search(store, Filter(host=["h3.example"]), 500).events) == sum(
            event.host == "h3.example" for own in events for event in own
        )
        store.close()


def test_a_reader_sees_one_state_while_others_write(store):
    insert_records(store, [make_event()], [])
    with store.reading() as connection:
        first = connection.scalar(text("SELECT count(*) FROM event"))
        insert_records(store, [make_event()], [])
        assert connection.scalar(text("SELECT count(*) FROM event")) == first
    assert len(search(store, Filter(), 9).events) == 2


def test_a_reader_cannot_write(store):
    with pytest.raises(StoreUnavailable, match="read-only"), store.reading() as connection:
        connection.execute(text("DELETE FROM event"))


def test_what_was_accepted_survives_a_kill_and_the_store_heals(own_postgres):
    """Killed in the middle of ingest, and again while nobody writes."""
    store = open_store(own_postgres.store_database())
    accepted, failures = [], []
    stop = threading.Event()

    def deliver():
        while not stop.is_set():
            batch = [make_event() for _ in range(50)]
            while not stop.is_set():
                try:
                    insert_records(store, batch, [])
                except StoreUnavailable as error:
                    failures.append(error)
                    time.sleep(0.02)
                else:
                    accepted.extend(batch)
                    break

    thread = threading.Thread(target=deliver)
    thread.start()
    for _ in range(2):
        _wait_for_more(accepted)
        own_postgres.kill()
        _wait_for_more(failures)
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            search(store, Filter(), 10)
        own_postgres.start()
    _wait_for_more(accepted)
    stop.set()
    thread.join()
    missing = {event.id for event in accepted}
    after = None
    while True:
        found = search(store, Filter(), 500, after)
        missing -= {event.id for event in found.events}
        after = found.more_after
        if after is None:
            break
    assert not missing
    [count] = count_by(store, Facet.RULE, Filter())
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM event")) == count.total
    store.close()


def _wait_for_more(items):
    wanted, deadline = len(items) + 1, time.monotonic() + 60
    while len(items) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_connections_that_were_cut_are_replaced(store, postgres):
    search(store, Filter(), 1)
    postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'"
    )
    assert search(store, Filter(), 1).events == []


def test_a_server_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        open_store(f"postgresql://nobody@/none?host={tmp_path}")
