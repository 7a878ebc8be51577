"""What was seen for the first time, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, union_all

from sovproxy.store.records import from_microseconds
from sovproxy.store.tables import EVENTS, ROLLUPS

if TYPE_CHECKING:
    from datetime import datetime

    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter


def first_record(store: Store) -> datetime | None:
    """When the oldest event or rollup was; None if there is none. Raises StoreUnavailable."""
    with store.reading() as connection:
        times = [
            connection.scalar(select(func.min(column)))
            for column in (EVENTS.c.time, ROLLUPS.c.start)
        ]
    return min((from_microseconds(time) for time in times if time is not None), default=None)


def new_values(store: Store, kind: str, wanted: Filter, limit: int) -> list[tuple[str, datetime]]:
    """Services or networks never seen before the filter's range, newest first.

    `kind` is `service` or `asn`. Raises StoreUnavailable.
    """
    both = union_all(
        select(EVENTS.c[kind].label("value"), EVENTS.c.time.label("start")),
        select(ROLLUPS.c[kind].label("value"), ROLLUPS.c.start.label("start")),
    ).subquery()
    first = func.min(both.c.start)
    query = select(both.c.value, first).group_by(both.c.value).order_by(first.desc())
    with store.reading() as connection:
        rows = connection.execute(query).all()
    found = [(str(value), from_microseconds(start)) for value, start in rows if value]
    return [
        (value, start)
        for value, start in found
        if (not wanted.since or start >= wanted.since)
        and (not wanted.until or start < wanted.until)
    ][:limit]
