"""Retention: old rows are deleted in small batches, so that ingest never waits long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select

from sovproxy.store.records import microseconds
from sovproxy.store.tables import EVENTS, ROLLUPS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Table

    from sovproxy.store.database import Store

BATCH: Final = 5000
ROLLUP_DAYS: Final = 730


def delete_old_events(store: Store, now: datetime, days: int, batch: int = BATCH) -> int:
    """Delete the events older than `days`, and say how many. Raises StoreUnavailable."""
    return _delete(store, EVENTS, "time", now - timedelta(days=days), batch)


def delete_old_rollups(
    store: Store, now: datetime, days: int = ROLLUP_DAYS, batch: int = BATCH
) -> int:
    """Delete the rollups older than `days` (they hold no client and no host), and say how many.

    Raises StoreUnavailable.
    """
    return _delete(store, ROLLUPS, "start", now - timedelta(days=days), batch)


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
