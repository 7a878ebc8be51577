from __future__ import annotations

import asyncio
import threading

import pytest

from sovproxy.decide.words import Action, Standing
from sovproxy.events import rollup
from sovproxy.events.event import Event, Rollup
from sovproxy.events.reader import SpoolReader
from sovproxy.events.recorder import Recorder, open_recorder
from sovproxy.events.rollup import HOUR, MINUTE, RollupCounter, RollupKey
from sovproxy.events.spool import Spool, SpoolUnwritable

KEY = RollupKey("g", "visio", ("FR",), Standing.SOVEREIGN, "FR", 16276, Action.ALLOW, "default")


class Clock:
    """A clock that tests set (Unix seconds)."""

    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def test_connections_of_one_key_and_bucket_make_one_rollup():
    counter = RollupCounter("n", clock=Clock())
    for _ in range(5):
        counter.count(KEY)
    [rollup] = counter.take()
    assert (rollup.count, rollup.service, rollup.node, rollup.seconds) == (5, "visio", "n", 60)
    assert rollup.start.timestamp() == 1_000_000_000 // 60 * 60
    assert counter.take() == []


@pytest.mark.parametrize("seconds", [MINUTE, HOUR])
def test_each_bucket_of_time_is_counted_apart(seconds):
    clock = Clock()
    counter = RollupCounter("n", seconds, clock=clock)
    counter.count(KEY)
    clock.now += seconds
    counter.count(KEY, 2)
    assert [(item.count, item.start.timestamp() % seconds) for item in counter.take()] == [
        (1, 0),
        (2, 0),
    ]


def test_too_many_keys_are_counted_as_other_and_none_is_lost():
    counter = RollupCounter("n", max_keys=10, clock=Clock())
    for asn in range(1000):
        counter.count(KEY._replace(asn=asn))
    rollups = counter.take()
    assert len(rollups) == 11
    assert sum(item.count for item in rollups) == 1000
    [other] = [item for item in rollups if item.service == "other"]
    assert (other.count, other.action, other.standing) == (990, Action.ALLOW, Standing.SOVEREIGN)


def test_threads_count_without_losing_any():
    counter = RollupCounter("n", clock=Clock())
    taken = []

    def work() -> None:
        for _ in range(2000):
            counter.count(KEY)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        taken += counter.take()
    for thread in threads:
        thread.join()
    assert sum(item.count for item in taken + counter.take()) == 8000


def test_a_rollup_holds_no_host_and_no_client():
    assert not {"host", "client", "address"} & set(Rollup.model_fields)


def test_closing_the_recorder_flushes_what_was_counted(tmp_path):
    recorder = open_recorder(tmp_path, "n")
    recorder.count(KEY)
    recorder.close()
    [record] = SpoolReader(tmp_path).next_batch().rollups
    assert Rollup.model_validate_json(record).count == 1


def test_an_awaited_event_is_on_disk_before_the_answer(tmp_path, make_event):
    event = make_event()

    async def answer() -> tuple[bytes, ...]:
        recorder = open_recorder(tmp_path, "n")
        await recorder.record(event)
        events = SpoolReader(tmp_path).next_batch().events
        recorder.close()
        return events

    [record] = asyncio.run(answer())
    assert Event.model_validate_json(record) == event


def test_many_awaited_events_are_all_kept_even_when_some_callers_give_up(tmp_path, make_event):
    events = [make_event() for _ in range(200)]

    async def answer() -> None:
        recorder = open_recorder(tmp_path, "n")
        tasks = [asyncio.create_task(recorder.record(event)) for event in events]
        await asyncio.sleep(0)
        for task in tasks[::10]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        recorder.close()

    asyncio.run(answer())
    kept = {
        Event.model_validate_json(item).id for item in SpoolReader(tmp_path).next_batch().events
    }
    assert kept == {event.id for event in events}


def test_counts_that_cannot_be_written_stay_in_memory(tmp_path):
    spool = Spool(tmp_path)
    counter = RollupCounter("n")
    recorder = Recorder(spool, counter)
    recorder.count(KEY)
    spool.close()
    recorder.flush()
    assert [item.count for item in counter.take()] == [1]


def test_recording_without_a_spool_is_an_error_never_silence(tmp_path, make_event):
    recorder = open_recorder(tmp_path, "n")
    recorder.close()
    with pytest.raises(SpoolUnwritable):
        asyncio.run(recorder.record(make_event()))
    with pytest.raises(SpoolUnwritable):
        recorder.record_now(make_event())


def test_what_waits_for_a_full_disk_is_bounded_and_every_connection_stays_counted(monkeypatch):
    """As many keys in each of sixty minutes; the disk is full all the time."""
    monkeypatch.setattr(rollup, "MAX_WAITING", 1000)
    clock = Clock()
    counter = RollupCounter("n", clock=clock)
    for _ in range(60):
        for number in range(50):
            counter.count(KEY._replace(asn=number + 1))
        counter.put_back(counter.take())
        clock.now += MINUTE
    waiting = counter.take()
    assert len(waiting) <= 1000 + 60
    assert sum(item.count for item in waiting) == 60 * 50
    assert {item.service for item in waiting} == {"visio", "other"}
