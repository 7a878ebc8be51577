"""Retention: old records are deleted in small batches, so that ingest never waits long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import delete, select

from sovproxy.store.blocks import (
    Block,
    Reader,
    add_block,
    drop_blocks,
    list_blocks,
    whole_columns,
)
from sovproxy.store.bulk import chunks
from sovproxy.store.partitions import drop_before, make_ahead
from sovproxy.store.tables import EVENTS, ROLLUPS, TALLIES, WORDS
from sovproxy.store.tally import DAY, HOUR, SECOND
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers

BATCH: Final = 5000
ROLLUP_DAYS: Final = 730
_SLACK: Final = timedelta(hours=1)  # how exactly it is known when a word was used last


def delete_old_events(store: Store, now: datetime, days: int, batch: int = BATCH) -> int:
    """Delete the events older than `days`, and say how many. Raises StoreUnavailable.

    Clients, hosts and other texts that were not used since go with them, an hour later at most;
    the tallies stay as long as rollups do, which know no client and no host either. On PostgreSQL
    whole weeks are dropped, and the rest is deleted.
    """
    before = microseconds(now - timedelta(days=days))
    if store.dialect != "sqlite":
        with store.ingesting() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            drop_before(connection, before)
            make_ahead(connection, now)
    deleted = _delete_events(store, before, batch)
    unused = delete(WORDS).where(WORDS.c.last < microseconds(now - timedelta(days=days) - _SLACK))
    with store.ingesting() as connection:
        connection.execute(unused)
    return deleted


def _delete_events(store: Store, before: int, batch: int) -> int:
    total = 0
    while True:
        with store.ingesting() as connection:
            found = _oldest_block(connection, before)
            if found is None:
                return total
            total += _shorten(connection, store, found, before, batch)


def _oldest_block(connection: Connection, before: int) -> Block | None:
    blocks = list_blocks(connection, end=before)
    return min(blocks, key=lambda block: block.first_time, default=None)


def _shorten(connection: Connection, store: Store, block: Block, before: int, batch: int) -> int:
    """Delete at most `batch` old events of a block; what is left becomes another block."""
    columns = whole_columns(Reader(connection, store.columns), [block])
    old = np.flatnonzero(columns["time"] < before)[:batch]
    _delete_rows(connection, columns["seq"][old], columns["time"][old])
    drop_blocks(connection, [block])
    left = {name: np.delete(column, old) for name, column in columns.items()}
    if len(left["seq"]):
        add_block(connection, left, block.level)
    return len(old)


def _delete_rows(connection: Connection, seqs: Numbers, times: Numbers) -> None:
    """The range of time spares most partitions."""
    span = EVENTS.c.time.between(int(times.min()), int(times.max()))
    for chunk in chunks(seqs.tolist()):
        connection.execute(delete(EVENTS).where(EVENTS.c.seq.in_(chunk), span))


def delete_old_rollups(
    store: Store, now: datetime, days: int = ROLLUP_DAYS, batch: int = BATCH
) -> int:
    """Delete the rollups and tallies older than `days` (they hold no client and no host).

    Says how many rollups. Raises StoreUnavailable.
    """
    before = microseconds(now - timedelta(days=days))
    with store.ingesting() as connection:
        for seconds in (HOUR, DAY):
            first = before // (seconds * SECOND) * seconds * SECOND
            old = (TALLIES.c.seconds == seconds, TALLIES.c.start < first)
            connection.execute(delete(TALLIES).where(*old))
    total, deleted = 0, batch
    seqs = select(ROLLUPS.c.seq).where(ROLLUPS.c.start < before)
    oldest = seqs.order_by(ROLLUPS.c.start).limit(batch)
    while deleted == batch:
        with store.ingesting() as connection:
            found = delete(ROLLUPS).where(ROLLUPS.c.seq.in_(oldest))
            deleted = connection.execute(found).rowcount
        total += deleted
    return total
