"""A full disk: events take what is reserved; what cannot be on record is not answered; it heals."""

from __future__ import annotations

import errno
import os
import time

import pytest

from sovproxy.events.reader import SpoolReader
from sovproxy.events.segments import Limits, Position, Stream, list_segments, scan
from sovproxy.events.spool import Spool, SpoolLimits, SpoolUnwritable
from sovproxy.fleet.messages import Heartbeat
from sovproxy.settings import Settings
from sovproxy.usecases.nodes.node import Node
from tests.baseline import furnished
from tests.lab.clients import NAVIGATION, TOKEN, curl
from tests.lab.proxies import wait_until

pytestmark = pytest.mark.lab

MEBIBYTE = 1024 * 1024
LIMITS = SpoolLimits(segment_bytes=64 * 1024, reserve_bytes=MEBIBYTE)
EVERYTHING = Limits(records=1_000_000, size=2**40)


def record(number):
    return b"%06d" % number + b"x" * 2000


def append_until_refused(spool, start=0):
    """Append events until one is refused; the numbers of those that were taken."""
    kept = []
    for number in range(start, start + 10_000):
        try:
            spool.append(Stream.EVENTS, record(number))
        except SpoolUnwritable:
            return kept
        kept.append(number)
    raise AssertionError("the disk is never full")


def events_in(folder):
    found = scan(folder, Stream.EVENTS, Position(), EVERYTHING)
    assert (found.damaged, found.torn) == (0, 0)
    return [int(item[:6]) for item in found.records]


@pytest.fixture
def disk(mount, tmp_path):
    return mount(tmp_path / "disk", 4 * MEBIBYTE)


@pytest.fixture
def spool(disk):
    spool = Spool(disk.folder / "spool", LIMITS)
    yield spool
    spool.close()


def test_on_a_full_disk_events_take_the_reserved_room_and_none_is_lost(disk, spool, caplog):
    spool.append(Stream.EVENTS, record(0))
    disk.fill()
    kept = [0, *append_until_refused(spool, 1)]
    assert len(kept) > 400  # a MiB of them
    assert events_in(spool.folder) == kept
    assert spool.counters.full > 0
    assert "is full: events take what was reserved" in caplog.text


def test_rollups_leave_the_reserved_room_to_events_and_wait(disk, spool):
    disk.fill()
    for number in range(5):
        spool.append(Stream.EVENTS, record(number))
    with pytest.raises(SpoolUnwritable, match="rollups wait"):
        spool.append(Stream.ROLLUPS, b"r")
    disk.make_room()
    spool.enforce_limits()
    spool.append(Stream.ROLLUPS, b"r")


def test_when_the_reserve_is_used_up_the_oldest_rollups_make_room(disk, spool):
    for number in range(200):
        spool.append(Stream.ROLLUPS, record(number))
    before = len(list_segments(spool.folder, Stream.ROLLUPS))
    disk.fill()
    kept = append_until_refused(spool)
    assert before > 4
    assert len(list_segments(spool.folder, Stream.ROLLUPS)) == 1
    assert spool.counters.dropped_rollups > 100
    assert spool.counters.dropped_events == 0
    assert events_in(spool.folder) == kept


def test_it_heals_without_a_restart_and_room_is_reserved_again(disk, spool):
    disk.fill()
    kept = append_until_refused(spool)
    disk.make_room()
    spool.append(Stream.EVENTS, record(9000))
    assert events_in(spool.folder) == [*kept, 9000]
    spool.enforce_limits()  # as it does every half minute, and with each new segment
    assert (spool.folder / "reserve").stat().st_blocks * 512 >= MEBIBYTE


def test_no_room_is_reserved_where_that_would_fill_the_disk(mount, tmp_path):
    disk = mount(tmp_path / "disk", MEBIBYTE + MEBIBYTE // 2)
    spool = Spool(disk.folder / "spool", LIMITS)
    spool.append(Stream.EVENTS, b"{}")
    assert not (spool.folder / "reserve").exists()
    spool.close()


def test_delivery_goes_on_while_the_disk_is_full_and_gives_room_back(disk, spool):
    disk.fill()
    kept = append_until_refused(spool)
    reader, delivered = SpoolReader(spool.folder), []
    while batch := reader.next_batch(Limits(records=50)):
        delivered += [int(item[:6]) for item in batch.events]
        reader.acknowledge(batch)
    assert delivered == kept
    spool.append(Stream.EVENTS, record(9000))
    assert SpoolReader(spool.folder).next_batch().events[-1] == record(9000)


def test_a_disk_that_does_not_flush_is_no_record(tmp_path, monkeypatch):
    """What fdatasync refuses is taken back, and whoever waits for it must not answer."""
    spool = Spool(tmp_path, LIMITS)
    spool.append(Stream.EVENTS, record(1))

    def fails(_handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        with pytest.raises(SpoolUnwritable, match="Input/output error"):
            spool.append(Stream.EVENTS, record(2))
    spool.append(Stream.EVENTS, record(3))
    spool.close()
    assert events_in(tmp_path) == [1, 3]


def test_what_the_spool_dropped_and_a_full_disk_are_in_the_report_to_the_api(tmp_path):
    """From there they are `sovproxy_node_events_total` with `counter="limit_spool_…"`."""
    node = Node(Settings(data_dir=furnished(tmp_path), policy="eu", node="paris"))
    try:
        limits = node.member._report().counters.snapshot()
        assert limits["limit_spool_dropped_events"] == limits["limit_spool_disk_full"] == 0
        counters = node.recorder.spool.counters
        counters.dropped_events, counters.dropped_rollups, counters.full = 3, 2, 1
        report = Heartbeat.model_validate_json(node.member._report().model_dump_json())
        numbers = report.counters.snapshot()
        assert numbers["limit_spool_dropped_events"] == 3
        assert numbers["limit_spool_dropped_rollups"] == 2
        assert numbers["limit_spool_disk_full"] == 1
    finally:
        node.recorder.close()


@pytest.fixture
def on_small_disk(start_proxy, mount):
    """A proxy whose node folder is on a small disk of its own, and the disk."""
    disks = []

    def prepare(proxy):
        disks.append(mount(proxy.data / "node", 12 * MEBIBYTE))

    return start_proxy(enrol=prepare), disks[0]


def use_up(disk):
    """Take the disk's room, and what the node had reserved."""
    disk.fill()
    (disk.folder / "spool" / "reserve").unlink()
    disk.fill()


def test_prompts_go_on_at_first_and_nobody_is_told_what_is_not_on_record(
    on_small_disk, origins, me
):
    proxy, disk = on_small_disk
    url = f"http://zoom.us:{origins.zoom.port}/"
    disk.fill()
    assert curl(proxy, url, me=me).is_prompt
    assert len(proxy.events(me)) == 1
    assert not (proxy.data / "node" / "spool" / "reserve").exists()
    disk.fill()
    told = {curl(proxy, url, me=me).status for _ in range(40)}
    events = proxy.events(me)
    assert 503 in told
    assert told <= {451, 503}
    assert curl(proxy, url, me=me).problem["title"].startswith("sovproxy cannot keep its record")
    large = curl(proxy, url, "-H", "Expect:", "-d", "x" * 100_000, me=me)  # nobody reads it
    assert large.status not in {200, 403, 451}
    assert origins.zoom.hits == 0
    disk.make_room()
    wait_until(lambda: curl(proxy, url, me=me).is_prompt, "prompts are there again")
    assert len(proxy.events(me)) > len(events)


def test_who_went_on_after_a_warning_does_not_pass_without_a_record(on_small_disk, origins, me):
    proxy, disk = on_small_disk
    url = f"http://slack.com:{origins.slack.port}"
    token = TOKEN.search(curl(proxy, url, *NAVIGATION, me=me).text)
    form = ("--data-urlencode", f"token={token[1]}", "--data-urlencode", "reason=partner")
    assert curl(proxy, f"{url}/.well-known/sovproxy/go-on", *form, me=me).status == 303
    assert curl(proxy, url, me=me).status == 200
    use_up(disk)
    deadline = time.monotonic() + 20
    while (status := curl(proxy, url, me=me).status) == 200:
        assert time.monotonic() < deadline  # the last block of the segment has been filled by then
    assert status == 503
    events, hits = proxy.events(me, outcome="tunnelled", kind="decision"), origins.slack.hits
    assert hits == len(events)
    disk.make_room()
    wait_until(lambda: curl(proxy, url, me=me).status == 200, "it passes again")
