"""What was seen for the first time, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sovproxy.store.tables import BLOCKS, ROLLUPS, SEEN, WORDS
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
            for column in (BLOCKS.c.first_time, ROLLUPS.c.start)
        ]
    return min((from_microseconds(time) for time in times if time is not None), default=None)


def new_values(store: Store, kind: str, wanted: Filter, limit: int) -> list[tuple[str, datetime]]:
    """Services, networks or hosts never seen before the filter's range of time, newest first.

    `kind` is `service`, `asn` or `host`. Raises StoreUnavailable.
    """
    table = WORDS if kind == "host" else SEEN
    first, value = table.c.first, table.c.value
    query = select(value, first).where(table.c.kind == kind)
    if wanted.since:
        query = query.where(first >= microseconds(wanted.since))
    if wanted.until:
        query = query.where(first < microseconds(wanted.until))
    query = query.order_by(first.desc(), value).limit(limit)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [(value, from_microseconds(first)) for value, first in rows]
