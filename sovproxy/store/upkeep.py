"""Positions of receivers and runs of retention as rows, and how large the store is."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select, text

from sovproxy.store.bulk import insert_for, last_number
from sovproxy.store.tables import (
    BLOCKS,
    FORWARD_POSITIONS,
    LINKS,
    RETENTION_RUNS,
    ROLLUPS,
    SESSIONS,
    RetentionRunRow,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from sovproxy.store.database import Store

MAX_RUNS: Final = 200


def forward_position(store: Store, receiver: str) -> int | None:
    """Up to which arrival a receiver has everything; None if it never had anything.

    Raises StoreUnavailable.
    """
    query = select(FORWARD_POSITIONS.c.seq).where(FORWARD_POSITIONS.c.receiver == receiver)
    with store.reading() as connection:
        seq: int | None = connection.scalar(query)
    return seq


def save_forward_position(store: Store, receiver: str, seq: int, now: int) -> None:
    """Note durably, at `now` (Unix µs), that a receiver has everything up to an arrival.

    Raises StoreUnavailable.
    """
    values = {"seq": seq, "updated": now}
    with store.writing() as connection:
        statement = insert_for(connection, FORWARD_POSITIONS).values(receiver=receiver, **values)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["receiver"], set_=values)
        )


def append_retention_run(store: Store, row: RetentionRunRow) -> None:
    """Note a run, and forget those before the last 200. Raises StoreUnavailable."""
    runs = RETENTION_RUNS
    old = select(runs.c.seq).order_by(runs.c.seq.desc()).offset(MAX_RUNS).limit(1)
    with store.writing() as connection:
        connection.execute(insert(runs).values(row.model_dump(exclude={"seq"})))
        connection.execute(delete(runs).where(runs.c.seq <= old.scalar_subquery()))


def retention_runs(store: Store, limit: int) -> list[RetentionRunRow]:
    """Give the last runs, newest first. Raises StoreUnavailable."""
    query = select(RETENTION_RUNS).order_by(RETENTION_RUNS.c.seq.desc()).limit(limit)
    with store.reading() as connection:
        return [RetentionRunRow(**row) for row in connection.execute(query).mappings()]


def delete_ended_sessions(store: Store, now: int) -> int:
    """Delete the sessions and one-time links that are over at `now` (Unix µs); say how many
    sessions. Raises StoreUnavailable.
    """
    with store.writing() as connection:
        connection.execute(delete(LINKS).where(LINKS.c.expires <= now))
        return connection.execute(delete(SESSIONS).where(SESSIONS.c.expires <= now)).rowcount


@dataclass(frozen=True, slots=True)
class StoreSize:
    """What the store holds (about) and takes. `free` is None where nobody here knows the disk."""

    dialect: str
    bytes: int
    free: int | None
    events: int
    rollups: int
    newest_arrival: int


def store_size(store: Store) -> StoreSize:
    """Find out how large the store is, cheaply: events are told by their
    blocks, rollups by their numbers.

    Raises StoreUnavailable.
    """
    with store.reading() as connection:
        events = connection.scalar(select(func.sum(BLOCKS.c.size))) or 0
        rollups, newest = _span(connection, ROLLUPS), last_number(connection, "event")
        if store.dialect == "sqlite":
            size, free = _sqlite_size(connection)
        else:
            size = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
            free = None
    return StoreSize(store.dialect, size, free, events, rollups, newest)


def _span(connection: Connection, table: Table) -> int:
    """About how many rows there are. Two questions: each uses the index."""
    first = connection.scalar(select(func.min(table.c.seq)))
    last = connection.scalar(select(func.max(table.c.seq)))
    return last - first + 1 if first is not None and last is not None else 0


def _sqlite_size(connection: Connection) -> tuple[int, int | None]:
    """The file, its log, and what is left on their disk."""
    file = connection.engine.url.database or ""
    size = 0
    for name in (file, f"{file}-wal", f"{file}-shm"):
        with suppress(OSError):
            size += Path(name).stat().st_size
    try:
        return size, shutil.disk_usage(Path(file).parent).free
    except OSError:
        return size, None
