"""Retention: old rows are deleted in small batches, so that ingest never waits long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select

from sovproxy.store.tables import EVENTS, ROLLUPS, SEEN, TALLIES
from sovproxy.store.tally import DAY, HOUR, SECOND
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from sovproxy.store.database import Store

BATCH: Final = 5000
ROLLUP_DAYS: Final = 730
_SLACK: Final = timedelta(hours=1)  # how exactly it is known when a host was seen last


def delete_old_events(store: Store, now: datetime, days: int, batch: int = BATCH) -> int:
    """Delete the events older than `days`, and say how many. Raises StoreUnavailable.

    Hosts that were not seen since go with them; the tallies stay as long as rollups do, which know
    no client and no host either.
    """
    before = now - timedelta(days=days)
    deleted = _delete(store, EVENTS, "time", before, batch)
    unseen = delete(SEEN).where(SEEN.c.kind == "host", SEEN.c.last < microseconds(before - _SLACK))
    with store.writing() as connection:
        connection.execute(unseen)
    return deleted


def delete_old_rollups(
    store: Store, now: datetime, days: int = ROLLUP_DAYS, batch: int = BATCH
) -> int:
    """Delete the rollups and tallies older than `days` (they hold no client and no host).

    Says how many rollups. Raises StoreUnavailable.
    """
    before = now - timedelta(days=days)
    with store.writing() as connection:
        for seconds in (HOUR, DAY):
            first = microseconds(before) // (seconds * SECOND) * seconds * SECOND
            old = (TALLIES.c.seconds == seconds, TALLIES.c.start < first)
            connection.execute(delete(TALLIES).where(*old))
    return _delete(store, ROLLUPS, "start", before, batch)


def _delete(store: Store, table: Table, name: str, before: datetime, batch: int) -> int:
    time, seq = table.c[name], table.c["seq"]
    old = select(seq).where(time < microseconds(before)).order_by(time).limit(batch)
    statement = delete(table).where(seq.in_(old))
    total = 0
    while True:
        with store.writing() as connection:
            deleted = connection.execute(statement).rowcount
        total += deleted
        if deleted < batch:
            return total
