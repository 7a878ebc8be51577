"""What was seen for the first time, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sovproxy.store.tables import EVENTS, ROLLUPS, SEEN
from sovproxy.store.times import from_microseconds, microseconds

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
    """Services or networks never seen before the filter's range of time, newest first.

    `kind` is `service` or `asn`. Raises StoreUnavailable.
    """
    query = select(SEEN.c.value, SEEN.c.first).where(SEEN.c.kind == kind)
    if wanted.since:
        query = query.where(SEEN.c.first >= microseconds(wanted.since))
    if wanted.until:
        query = query.where(SEEN.c.first < microseconds(wanted.until))
    query = query.order_by(SEEN.c.first.desc(), SEEN.c.value).limit(limit)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [(value, from_microseconds(first)) for value, first in rows]
