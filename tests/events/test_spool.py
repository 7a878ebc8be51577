from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovproxy.events.reader import SpoolReader
from sovproxy.events.segments import (
    Limits,
    Position,
    Stream,
    decode,
    encode,
    list_segments,
    scan,
    segment_path,
)
from sovproxy.events.spool import Spool, SpoolLimits, SpoolUnwritable

EVERYTHING = Limits(records=1_000_000, size=2**40)

WRITER = """
import sys, threading
from pathlib import Path
from sovproxy.events.segments import Stream
from sovproxy.events.spool import Spool, SpoolLimits
spool = Spool(Path(sys.argv[1]), SpoolLimits(segment_bytes=20_000))
lock = threading.Lock()
def write(name):
    number = 0
    while True:
        record = b"%d-%d" % (name, number)
        spool.append(Stream.EVENTS, record)
        with lock:
            sys.stdout.buffer.write(record + b"\\n")
            sys.stdout.buffer.flush()
        number += 1
for name in range(4):
    threading.Thread(target=write, args=(name,)).start()
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from sovproxy.events.segments import Stream
from sovproxy.events.spool import Spool, SpoolUnwritable
spool = Spool(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
kept, refused = [], 0
for number in range(200):
    record = b"%05d" % number + b"x" * 995
    try:
        spool.append(Stream.EVENTS, record)
        kept.append(number)
    except SpoolUnwritable as error:
        refused += 1
        message = str(error)
        if refused == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            break
for number in range(500, 510):
    spool.append(Stream.EVENTS, b"%05d" % number + b"x" * 995)
    kept.append(number)
spool.close()
print(kept, refused, message, sep="|")
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def fill(folder, *records, stream=Stream.EVENTS, limits=None):
    spool = Spool(folder, limits)
    for record in records:
        spool.append(stream, record)
    spool.close()
    return spool


def read_all(folder, stream=Stream.EVENTS):
    return scan(folder, stream, Position(), EVERYTHING).records


def test_what_was_appended_is_read_back_in_order(folder):
    records = [b'{"n":%d}' % number for number in range(50)]
    fill(folder, *records[:20])
    fill(folder, *records[20:])
    assert read_all(folder) == records


def test_append_returns_only_once_the_record_is_in_the_file(folder):
    spool = Spool(folder)
    for number in range(10):
        spool.append(Stream.EVENTS, b"%d" % number)
        assert len(read_all(folder)) == number + 1
    spool.close()


def test_many_threads_share_the_spool_without_mixing_lines(folder):
    spool = Spool(folder, SpoolLimits(segment_bytes=5_000))

    def write(name: int) -> None:
        for number in range(100):
            spool.append(Stream.EVENTS, b"%d-%d" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    records = read_all(folder)
    assert len(set(records)) == len(records) == 800
    assert spool.counters.appended == 800


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.3])
def test_sigkill_loses_nothing_that_append_returned_for(folder, seconds):
    """Four threads append; each record is printed after its append returned; then SIGKILL."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(seconds)
    writer.kill()
    answered = {first.strip(), *writer.stdout.read().split("\n")[:-1]}
    writer.wait()
    fill(folder, b"after")
    kept = [record.decode() for record in read_all(folder)]
    assert answered <= set(kept)
    assert len(kept) == len(set(kept))
    assert kept[-1] == "after"
    assert len(answered) > 1


def test_a_torn_last_line_costs_only_itself(folder):
    fill(folder, b"one", b"two")
    path = list_segments(folder, Stream.EVENTS)[0].path
    with path.open("ab") as file:
        file.write(encode(b"torn")[:-3])
    assert read_all(folder) == [b"one", b"two"]
    fill(folder, b"three")
    result = scan(folder, Stream.EVENTS, Position(), EVERYTHING)
    assert result.records == [b"one", b"two", b"three"]
    assert (result.torn, result.damaged) == (1, 0)


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_file_cut_anywhere_keeps_every_whole_record(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    records = [b"record-%d" % number for number in range(5)]
    content = b"".join(map(encode, records))
    cut = data.draw(st.integers(0, len(content)))
    segment_path(folder, Stream.EVENTS, 1).write_bytes(content[:cut])
    assert read_all(folder) == records[: content[:cut].count(b"\n")]


def test_a_damaged_segment_is_set_aside_and_the_rest_goes_on(folder, caplog):
    fill(folder, b"one", b"two", b"three")
    path = list_segments(folder, Stream.EVENTS)[0].path
    path.write_bytes(path.read_bytes().replace(b"two", b"tw0"))
    fill(folder, b"four")
    reader = SpoolReader(folder)
    batch = reader.next_batch()
    assert batch.events == (b"one", b"three", b"four")
    reader.acknowledge(batch)
    assert (folder / "damaged" / path.name).exists()
    assert not path.exists()
    assert (reader.counters.damaged, reader.counters.segments_set_aside) == (1, 1)
    assert f"{path} is damaged" in caplog.text


def test_a_segment_full_of_garbage_does_not_hold_up_the_others(folder):
    fill(folder, b"one")
    segment_path(folder, Stream.EVENTS, 2).write_bytes(os.urandom(300_000))
    segment_path(folder, Stream.EVENTS, 3).write_bytes(b"\0" * 300_000)
    fill(folder, b"two")
    assert read_all(folder) == [b"one", b"two"]


def test_acknowledged_records_are_never_read_again(folder):
    fill(folder, b"one", b"two", b"three")
    reader = SpoolReader(folder)
    reader.acknowledge(reader.next_batch(Limits(records=2)))
    assert SpoolReader(folder).next_batch().events == (b"three",)


def test_a_batch_that_was_not_acknowledged_comes_again(folder):
    fill(folder, b"one")
    reader = SpoolReader(folder)
    assert reader.next_batch().events == reader.next_batch().events == (b"one",)


def test_delivered_segments_are_removed_but_for_the_newest(folder):
    for number in range(5):
        fill(folder, b"%d" % number)
    reader = SpoolReader(folder)
    reader.acknowledge(reader.next_batch())
    assert [item.number for item in list_segments(folder, Stream.EVENTS)] == [5]
    fill(folder, b"more")
    assert reader.next_batch().events == (b"more",)


def test_segment_numbers_grow_even_when_every_segment_was_removed(folder):
    for number in range(3):
        fill(folder, b"%d" % number)
    reader = SpoolReader(folder)
    reader.acknowledge(reader.next_batch())
    list_segments(folder, Stream.EVENTS)[0].path.unlink()
    fill(folder, b"new")
    assert SpoolReader(folder).next_batch().events == (b"new",)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"events": [1]}', '{"events": [-1, 0]}', "\0"])
def test_damaged_positions_deliver_everything_once_more(folder, content):
    fill(folder, b"one")
    (folder / "positions.json").write_text(content)
    assert SpoolReader(folder).next_batch().events == (b"one",)


def test_a_batch_is_bounded_by_count_and_by_size(folder):
    fill(folder, *[b"x" * 1000] * 10)
    reader = SpoolReader(folder)
    assert len(reader.next_batch(Limits(records=3)).events) == 3
    assert len(reader.next_batch(Limits(size=3500)).events) == 3
    assert len(reader.next_batch(Limits(size=1)).events) == 1


def test_rollups_are_read_when_events_leave_room(folder):
    fill(folder, b"r1", b"r2", stream=Stream.ROLLUPS)
    fill(folder, b"e1", b"e2")
    reader = SpoolReader(folder)
    first = reader.next_batch(Limits(records=2))
    assert (first.events, first.rollups) == ((b"e1", b"e2"), ())
    reader.acknowledge(first)
    assert reader.next_batch(Limits(records=2)).rollups == (b"r1", b"r2")


def test_over_its_size_rollups_go_first_and_then_the_oldest_events(folder):
    limits = SpoolLimits(max_bytes=10_000, segment_bytes=1_000)
    spool = Spool(folder, limits)
    for number in range(5):
        spool.append(Stream.ROLLUPS, b"r%04d" % number + b"x" * 1000)
    for number in range(20):
        spool.append(Stream.EVENTS, b"e%04d" % number + b"x" * 1000)
    spool.close()
    events = [record[:5] for record in read_all(folder)]
    rollups = [record[:5] for record in read_all(folder, Stream.ROLLUPS)]
    assert rollups == [b"r0004"]
    assert events == [b"e%04d" % number for number in range(20 - len(events), 20)]
    assert spool.counters.dropped_rollups == 4
    assert spool.counters.dropped_events == 20 - len(events) > 0
    size = sum(path.stat().st_size for path in folder.glob("*.seg"))
    assert size <= limits.max_bytes + 2 * 1100


def test_what_is_too_old_is_dropped_with_a_count(folder, caplog):
    fill(folder, b"old")
    fill(folder, b"new")
    limits = SpoolLimits(max_age_seconds=100, steady_seconds=0)
    spool = Spool(folder, limits, clock=lambda: time.time() + 1000)
    spool.enforce_limits()
    spool.close()
    assert read_all(folder) == [b"new"]
    assert spool.counters.dropped_events == 1
    assert "1 undelivered events dropped" in caplog.text


def test_dropping_delivered_records_is_no_loss(folder):
    fill(folder, b"old")
    fill(folder, b"new")
    reader = SpoolReader(folder)
    reader.acknowledge(reader.next_batch(Limits(records=1)))
    fill(folder, b"newer")
    spool = Spool(folder, SpoolLimits(max_bytes=0))
    spool.enforce_limits()
    spool.close()
    assert spool.counters.dropped_events == 1
    assert reader.next_batch().events == (b"newer",)


def test_a_full_disk_refuses_clearly_keeps_what_was_kept_and_heals(folder):
    """RLIMIT_FSIZE makes writes come back short, then fail, as a full disk does."""
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder)], capture_output=True, text=True, check=True
    )
    kept, refused, message = result.stdout.strip().split("|")
    assert refused == "5"
    assert "cannot be written" in message
    numbers = [int(record[:5]) for record in read_all(folder)]
    assert str(numbers) == kept
    result = scan(folder, Stream.EVENTS, Position(), EVERYTHING)
    assert (result.damaged, result.torn) == (0, 0)


def test_a_second_writer_is_refused_by_name(folder):
    spool = Spool(folder)
    with pytest.raises(SpoolUnwritable, match="written by another process"):
        Spool(folder)
    spool.close()
    Spool(folder).close()


def test_a_closed_spool_refuses_instead_of_forgetting(folder):
    spool = fill(folder, b"one")
    with pytest.raises(SpoolUnwritable, match="is closed"):
        spool.append(Stream.EVENTS, b"two")


@pytest.mark.parametrize("record", [b"two\nlines", b"x" * 70_000])
def test_a_record_that_does_not_fit_a_line_is_refused(record):
    with pytest.raises(ValueError, match=r"line|at most"):
        encode(record)


@given(st.binary(max_size=100).filter(lambda data: b"\n" not in data))
def test_a_line_gives_back_its_record_and_any_change_is_seen(record):
    line = encode(record)[:-1]
    assert decode(line) == record
    changed = bytes([line[-1] ^ 1])
    assert decode(line[:-1] + changed) is None or not record


def test_refused_records_are_kept_in_a_bounded_private_file(folder):
    reader = SpoolReader(folder)
    reader.set_aside([b'{"a":1}', b'{"b":2}'])
    path = folder / "refused.jsonl"
    assert path.read_bytes() == b'{"a":1}\n{"b":2}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    reader.set_aside([b"x" * (16 * 1024 * 1024)])
    assert path.stat().st_size < 100
    assert reader.counters.records_set_aside == 2
