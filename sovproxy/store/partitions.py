"""The partitions of `event` on PostgreSQL: one for each week, made when it is needed.

A week begins on Monday, 00:00 UTC. Partitions are made some weeks ahead, and for what arrives late.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import text

from sovproxy.store.times import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from sovproxy.store.packing import Numbers

WEEKS_AHEAD: Final = 2
_WEEK: Final = 7 * 86_400 * 1_000_000
_MONDAY: Final = microseconds(datetime(1970, 1, 5, tzinfo=UTC))
_FIRST_WEEK: Final = (microseconds(datetime(2020, 1, 6, tzinfo=UTC)) - _MONDAY) // _WEEK
_END_WEEK: Final = (microseconds(datetime(2060, 1, 5, tzinfo=UTC)) - _MONDAY) // _WEEK
_NAME: Final = re.compile(r"event_([0-9]{8})")
_LIST: Final = text(
    "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
    "WHERE inhparent = to_regclass('event')"
)


def ensure_partitions(connection: Connection, times: Numbers) -> None:
    """Make the partitions that events of these times (Unix µs) need, and some to come."""
    needed = np.unique((times - _MONDAY) // _WEEK).tolist()
    possible = {week for week in needed if _FIRST_WEEK <= week < _END_WEEK}
    make_weeks(connection, possible - _weeks(connection))


def make_ahead(connection: Connection, now: datetime) -> None:
    """Make the partitions of this week and of some to come."""
    this = (microseconds(now) - _MONDAY) // _WEEK
    make_weeks(connection, set(range(this, this + WEEKS_AHEAD + 1)) - _weeks(connection))


def make_weeks(connection: Connection, weeks: Iterable[int]) -> None:
    """Make the partitions of weeks, counted from the first Monday of 1970."""
    for week in sorted(weeks):
        first = _MONDAY + week * _WEEK
        name = f"event_{from_microseconds(first):%Y%m%d}"
        attach(connection, name, str(first), str(first + _WEEK))


def attach(connection: Connection, name: str, first: str, end: str) -> None:
    """Make a partition and attach it: so readers need not wait, as they would for PARTITION OF."""
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE event INCLUDING ALL)")
    bounds = f"FROM ({first}) TO ({end})"
    connection.exec_driver_sql(f"ALTER TABLE event ATTACH PARTITION {name} FOR VALUES {bounds}")


def make_outer(connection: Connection) -> None:
    """Make the partitions for times at which nothing can really have happened: a node whose clock
    is wrong cannot make thousands of partitions."""
    attach(connection, "event_early", "MINVALUE", str(_MONDAY + _FIRST_WEEK * _WEEK))
    attach(connection, "event_late", str(_MONDAY + _END_WEEK * _WEEK), "MAXVALUE")


def drop_before(connection: Connection, before: int) -> list[str]:
    """Drop the partitions that hold only what is older than `before` (Unix µs)."""
    last = (before - _MONDAY) // _WEEK
    old = sorted(week for week in _weeks(connection) if week < last)
    names = [f"event_{from_microseconds(_MONDAY + week * _WEEK):%Y%m%d}" for week in old]
    for name in names:
        connection.exec_driver_sql(f"DROP TABLE {name}")
    return names


def _weeks(connection: Connection) -> set[int]:
    names = connection.execute(_LIST).scalars()
    found = (match for name in names if (match := _NAME.fullmatch(name)))
    return {_week_of(match[1]) for match in found}


def _week_of(day: str) -> int:
    start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    return (microseconds(start) - _MONDAY) // _WEEK
