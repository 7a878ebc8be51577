"""A clock that jumps deletes nothing undelivered, gives no permission for years, doubles no id."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from sovproxy.api.background import apply_retention, retain_if_steady
from sovproxy.api.services import Services
from sovproxy.events.event import new_id
from sovproxy.events.segments import Limits, Position, Stream, scan
from sovproxy.events.spool import Spool, SpoolLimits
from sovproxy.events.steady import SteadyClock
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.tables import EVENTS
from sovproxy.usecases.worker.acknowledging import Acknowledgements, Offers
from tests.events.conftest import COMPLETE, Event, make_event  # noqa: F401  # a fixture

DAY = 86_400.0
YEAR = 365 * DAY
CLIENT = "2026-11.aaaabbbbccccdddd"


class Clock:
    """A clock that a test sets, and the uptime that nobody sets."""

    def __init__(self, now: float = 1_795_422_600.0) -> None:
        self.now = now
        self.up = 1000.0

    def __call__(self) -> float:
        return self.now

    def uptime(self) -> float:
        return self.up

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.up += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 400.0, -400.0])
def test_after_a_jump_the_clock_is_not_believed_for_a_while(clock, jump, caplog):
    steady = SteadyClock(clock, believed=True, steady_seconds=3600, uptime=clock.uptime)
    clock.passes(10 * DAY)
    assert steady.is_steady()
    clock.now += jump
    assert not steady.is_steady()
    assert "the clock jumped by" in caplog.text
    clock.passes(3500)
    assert not steady.is_steady()
    clock.passes(101)
    assert steady.is_steady()


def test_a_clock_that_is_set_by_little_is_believed(clock):
    steady = SteadyClock(clock, believed=True, steady_seconds=3600, uptime=clock.uptime)
    clock.now += 250
    assert steady.is_steady()


def test_a_machine_that_starts_with_a_wrong_clock_deletes_nothing_at_once(clock):
    steady = SteadyClock(clock, believed=False, steady_seconds=3600, uptime=clock.uptime)
    assert not steady.is_steady()
    clock.passes(3600)
    assert steady.is_steady()


def test_events_that_wait_survive_a_clock_that_is_years_ahead(tmp_path):
    ahead = [0.0]
    limits = SpoolLimits(segment_bytes=1000)
    spool = Spool(tmp_path, limits, clock=lambda: time.time() + ahead[0])
    for number in range(20):
        spool.append(Stream.EVENTS, b"%d" % number + b"x" * 500)
    ahead[0] = 10 * YEAR
    spool.enforce_limits()
    spool.close()
    again = Spool(tmp_path, limits, clock=lambda: time.time() + ahead[0])  # and a restart
    again.enforce_limits()
    again.close()
    found = scan(tmp_path, Stream.EVENTS, Position(), Limits(records=100)).records
    assert len(found) == 20
    assert again.counters.dropped_events == 0


def test_no_acknowledgement_lasts_for_years_because_it_was_given_in_the_future(tmp_path, clock):
    kept = Acknowledgements(tmp_path / "kept.json", clock)
    clock.now += YEAR
    offer = Offers(b"k" * 32).check(Offers(b"k" * 32).make(CLIENT, "slack", "/"), CLIENT, "slack")
    assert kept.grant(offer, 8 * 3600)
    assert kept.holds(CLIENT, "slack")
    clock.now -= YEAR
    assert not kept.holds(CLIENT, "slack")
    assert not Acknowledgements(tmp_path / "kept.json", clock).holds(CLIENT, "slack")


def test_an_acknowledgement_ends_when_the_clock_jumps_past_its_end(tmp_path, clock):
    kept = Acknowledgements(tmp_path / "kept.json", clock)
    offer = Offers(b"k" * 32).check(Offers(b"k" * 32).make(CLIENT, "slack", "/"), CLIENT, "slack")
    kept.grant(offer, 3600)
    clock.now += DAY
    assert not kept.holds(CLIENT, "slack")


def test_ids_stay_different_when_the_clock_goes_back(monkeypatch):
    frozen = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    first = [new_id() for _ in range(5000)]
    monkeypatch.setattr(time, "time_ns", lambda: frozen - int(YEAR) * 10**9)
    second = [new_id() for _ in range(5000)]
    monkeypatch.setattr(time, "time_ns", lambda: frozen)
    assert len({*first, *second, *(new_id() for _ in range(5000))}) == 15_000
    assert all(one.version == 7 for one in first)
    assert not [1 for a, b in pairwise(first) if a == b]


@pytest.mark.parametrize("years", [-50, -10, 10, 60])
def test_events_with_impossible_times_are_stored_once_all_the_same(any_store, make_event, years):  # noqa: F811  # the fixture
    when = make_event().time.replace(year=2026 + years)
    event = make_event(time=when)
    assert insert_records(any_store, [event], []).accepted == 1
    assert insert_records(any_store, [event], []).duplicates == 1


def test_retention_waits_when_the_apis_clock_jumps(tmp_path):
    """The old event would be deleted by the first look, were the clock believed."""
    store = open_store(sqlite_url(tmp_path / "store.sqlite"))
    now = [datetime(2026, 11, 23, tzinfo=UTC)]
    services = Services(store, None, "", tmp_path, tuple, lambda: 183, tuple, str)
    services = replace(services, clock=lambda: now[0])
    insert_records(store, [Event.model_validate(COMPLETE | {"time": now[0]}, strict=False)], [])
    clock = SteadyClock(lambda: services.clock().timestamp(), believed=True)
    assert retain_if_steady(services, clock) is not None
    now[0] += timedelta(days=3650)
    assert retain_if_steady(services, clock) is None
    with store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(EVENTS)) == 1
    assert sum(apply_retention(services, "somebody").deleted.values()) > 0  # a person may insist
    store.close()
