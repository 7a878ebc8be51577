from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from sovproxy.store import gathering, writing
from sovproxy.store.blocks import list_blocks
from sovproxy.store.database import StoreUnavailable
from sovproxy.store.deliveries import insert_records
from sovproxy.store.filters import Filter
from sovproxy.store.queries import get_event, search
from sovproxy.store.tally import DAY, read_tallies
from tests.store.made import NOW, make_event, make_rollup


def event_at(place: int, **fields):
    own = {"host": f"host-{place}.example", "service": f"service-{place % 3}"}
    return make_event(**{"time": NOW + timedelta(seconds=place)} | own | fields)


@contextmanager
def held(store, number):
    """While another transaction runs, `number` deliveries begin to wait; then it ends."""
    with store.ingesting():
        yield
        limit = time.monotonic() + 20
        while _waiting(store) < number:
            assert time.monotonic() < limit, "the deliveries did not come to wait"
            time.sleep(0.005)


def _waiting(store):
    """Those in the queue, and the one whose turn it is."""
    queue = store.deliveries
    return len(queue._waiting) + queue._busy


def deliver_together(store, deliveries):
    """Deliver all while something else is stored; give the answers in their order."""
    with ThreadPoolExecutor(len(deliveries)) as callers, held(store, len(deliveries)):
        return [callers.submit(insert_records, store, *one) for one in deliveries]


def blocks(store):
    with store.reading() as connection:
        return len(list_blocks(connection))


def stored_hosts(store):
    return sorted(event.host for event in search(store, Filter(), 500).events)


def test_what_arrives_while_another_is_stored_is_stored_in_one_transaction(any_store):
    deliveries = [([event_at(place)], [make_rollup(count=place + 1)]) for place in range(6)]
    answers = [answer.result() for answer in deliver_together(any_store, deliveries)]
    assert [(one.accepted, one.duplicates) for one in answers] == [(2, 0)] * 6
    assert blocks(any_store) == 2  # the first by itself, the others together


def test_each_caller_learns_what_of_its_own_was_new(any_store):
    known, shared = event_at(1), event_at(2)
    insert_records(any_store, [known], [])
    deliveries = [
        ([event_at(3), known], []),
        ([], [make_rollup(count=1), make_rollup(count=2)]),
        ([known], []),
        ([shared, event_at(4), shared], [make_rollup(count=3)]),
        ([event_at(5)] * 3, []),
        ([], []),
    ]
    answers = [answer.result() for answer in deliver_together(any_store, deliveries)]
    assert [(one.accepted, one.duplicates) for one in answers] == [
        (1, 1),
        (2, 0),
        (0, 1),
        (3, 1),
        (1, 2),
        (0, 0),
    ]


def test_an_event_that_two_deliver_at_once_is_stored_once(any_store):
    event = event_at(0)
    answers = deliver_together(any_store, [([event], [])] * 5)
    assert sum(answer.result().accepted for answer in answers) == 1
    assert sum(answer.result().duplicates for answer in answers) == 4


def test_events_of_one_transaction_keep_their_own_words(any_store):
    deliveries = [
        ([event_at(place * 10 + item, client="") for item in range(10)], []) for place in range(8)
    ]
    for answer in deliver_together(any_store, deliveries):
        answer.result()
    for events, _ in deliveries:
        for event in events:
            assert get_event(any_store, event.id) == event


def test_one_that_cannot_be_stored_keeps_no_other_from_it(any_store):
    bad = event_at(1).model_copy(update={"host": "\ud800"})  # no encoding has it
    deliveries = [([event_at(0)], []), ([bad], []), ([event_at(2)], []), ([event_at(3)], [])]
    answers = deliver_together(any_store, deliveries)
    errors = [answer.exception() for answer in answers]
    assert [error is None for error in errors] == [True, False, True, True]
    assert isinstance(errors[1], UnicodeEncodeError)
    assert insert_records(any_store, [event_at(4)], []).accepted == 1


def test_when_the_store_fails_everyone_learns_of_it_and_the_next_is_stored(any_store, monkeypatch):
    def fails():
        raise StoreUnavailable("away")

    deliveries = [([event_at(place)], []) for place in range(4)]
    with ThreadPoolExecutor(4) as callers:
        with held(any_store, 4):
            answers = [callers.submit(insert_records, any_store, *one) for one in deliveries]
            monkeypatch.setattr(any_store.sorts, "refresh", lambda _connection: fails())
        errors = [answer.exception() for answer in answers]
    assert [str(error) for error in errors] == ["away"] * 4
    monkeypatch.undo()
    again = [insert_records(any_store, *one) for one in deliveries]
    assert [one.accepted for one in again] == [1] * 4


def test_what_is_stored_together_is_bounded(any_store, monkeypatch):
    monkeypatch.setattr(gathering, "MAX_TOGETHER", 4)
    deliveries = [([event_at(place), event_at(place + 100)], []) for place in range(9)]
    answers = deliver_together(any_store, deliveries)
    assert [answer.result().accepted for answer in answers] == [2] * 9
    assert blocks(any_store) == 5  # one, and eight in pairs


def test_many_callers_at_once_lose_and_double_nothing(any_store):
    shares = [[event_at(caller * 100 + place) for place in range(20)] for caller in range(12)]
    go = threading.Barrier(12)

    def deliver(share):
        go.wait()
        return sum(
            insert_records(any_store, share[begin : begin + 6], []).accepted
            for begin in range(0, len(share), 5)
        )

    with ThreadPoolExecutor(12) as callers:
        accepted = list(callers.map(deliver, shares))
    assert accepted == [20] * 12
    assert len(stored_hosts(any_store)) == 240


def test_what_was_joined_by_a_transaction_that_failed_is_not_remembered(any_store, monkeypatch):
    """The numbers of blocks that were not committed are given again."""
    for place in range(15):
        insert_records(any_store, [event_at(place)], [])
    real = writing.add_numbers
    monkeypatch.setattr(writing, "add_numbers", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        insert_records(any_store, [event_at(90), event_at(91)], [make_rollup(count=1)])
    monkeypatch.setattr(writing, "add_numbers", real)
    for place in range(15, 40):
        insert_records(any_store, [event_at(place)], [make_rollup(count=1)])
    assert stored_hosts(any_store) == sorted(f"host-{place}.example" for place in range(40))


def test_tallies_joined_by_a_transaction_that_failed_are_not_remembered(any_store, monkeypatch):
    for place in range(15):
        insert_records(any_store, [event_at(place)], [])
    real = writing.add_seen
    monkeypatch.setattr(writing, "add_seen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        insert_records(any_store, [event_at(90, service="gone"), event_at(91)], [])
    monkeypatch.setattr(writing, "add_seen", real)
    for place in range(15, 40):
        insert_records(any_store, [event_at(place)], [])
    with any_store.reading() as connection:
        tallies = read_tallies(connection, any_store.columns, DAY, None, None)
    assert sum(int(tally.numbers.sum()) for tally in tallies) == 40
