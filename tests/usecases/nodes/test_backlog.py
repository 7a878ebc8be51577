"""What waits in a spool is told from the files alone, whoever writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sovproxy.events.reader import SpoolReader
from sovproxy.events.segments import Limits, Stream
from sovproxy.events.spool import Spool, SpoolLimits
from sovproxy.usecases.nodes import backlog
from sovproxy.usecases.nodes.backlog import backlog_of


@pytest.fixture
def spool(tmp_path):
    opened = Spool(tmp_path / "spool", SpoolLimits(segment_bytes=200))
    yield opened
    opened.close()


def fill(spool, number):
    for second in range(number):
        spool.append(Stream.EVENTS, b'{"time":"2026-11-23T08:00:%02dZ"}' % second)
    spool.append(Stream.ROLLUPS, b'{"start":"2026-11-23T07:59:00Z"}')


def test_an_empty_spool_has_nothing_waiting(spool):
    report = backlog_of(spool.folder)
    assert (report.records, report.bytes, report.oldest) == (0, 0, None)


def test_what_was_delivered_does_not_wait(spool):
    fill(spool, 30)
    report = backlog_of(spool.folder)
    assert report.records == 31
    assert report.oldest == datetime(2026, 11, 23, 7, 59, tzinfo=UTC)
    reader = SpoolReader(spool.folder)
    reader.acknowledge(reader.next_batch(Limits(records=10)))
    after = backlog_of(spool.folder)
    assert after.records == 21
    assert after.bytes < report.bytes
    reader.acknowledge(reader.next_batch())
    assert backlog_of(spool.folder).records == 0
    assert backlog_of(spool.folder).bytes == 0


def test_a_large_backlog_is_estimated(spool, monkeypatch):
    fill(spool, 60)
    monkeypatch.setattr(backlog, "MOST_COUNTED", 400)
    assert 50 <= backlog_of(spool.folder).records <= 70


def test_a_record_without_a_time_is_no_trouble(spool):
    spool.append(Stream.EVENTS, b"[]")
    assert backlog_of(spool.folder).oldest is None
