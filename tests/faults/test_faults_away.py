"""The API is away for a day of traffic: the spool stays within its bounds and all of it arrives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sovproxy.events.delivery import Delivery, NotTaken
from sovproxy.events.reader import SpoolReader
from sovproxy.events.segments import Limits, Stream
from sovproxy.events.spool import Spool, SpoolLimits
from sovproxy.usecases.nodes.backlog import backlog_of
from tests.events.conftest import make_event  # noqa: F401  # a fixture
from tests.events.test_delivery import api, stored_ids  # noqa: F401  # a fixture

BATCH = Limits()
EVENTS, HOURS = 2400, 24


def spool_a_day(folder, make_event, **limits):  # noqa: F811  # the fixture
    """A day of events, each written when the clock says so."""
    now = began = make_event().time

    def clock():
        return now.timestamp()

    spool = Spool(folder, SpoolLimits(**limits), clock=clock)
    events = []
    for number in range(EVENTS):
        now = began + timedelta(seconds=number * HOURS * 3600 / EVENTS)
        events.append(make_event(time=now))
        spool.append(Stream.EVENTS, events[-1].to_json())
    spool.enforce_limits()
    spool.close()
    return events, spool


@pytest.fixture
def delivery(tmp_path, api):  # noqa: F811  # the fixture
    return Delivery(SpoolReader(tmp_path / "spool"), api.url, lambda: api.token)


def deliver_all(delivery):
    """Deliver until nothing is left; the size of each batch."""
    sizes, before = [], 0
    while delivery.deliver_once():
        sizes.append(delivery.counters.delivered - before)
        before = delivery.counters.delivered
    return sizes


def test_after_a_day_without_the_api_everything_arrives_once_in_bounded_batches(
    tmp_path, api, delivery, make_event  # noqa: F811  # fixtures
):  # fmt: skip
    events, spool = spool_a_day(tmp_path / "spool", make_event)
    with pytest.raises(NotTaken, match="cannot be reached"):
        delivery.deliver_once()
    report = backlog_of(tmp_path / "spool")
    assert (report.records, report.oldest) == (EVENTS, events[0].time)
    api.start()
    sizes = deliver_all(delivery)
    assert max(sizes) <= BATCH.records
    assert sum(sizes) == EVENTS
    assert sorted(stored_ids(api)) == sorted(event.id for event in events)
    assert spool.counters.dropped_events == 0
    assert backlog_of(tmp_path / "spool").bytes == 0


def test_a_day_that_does_not_fit_loses_the_oldest_and_says_how_many(
    tmp_path, api, delivery, make_event  # noqa: F811  # fixtures
):  # fmt: skip
    limits = {"max_bytes": 300_000, "segment_bytes": 50_000}
    events, spool = spool_a_day(tmp_path / "spool", make_event, **limits)
    size = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.seg"))
    assert size <= 300_000 + 2 * 50_000
    lost = spool.counters.dropped_events
    assert lost > 0
    api.start()
    deliver_all(delivery)
    assert sorted(stored_ids(api)) == sorted(event.id for event in events[lost:])
