"""Positions of receivers and runs of retention as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from sovproxy.store.bulk import insert_for
from sovproxy.store.tables import FORWARD_POSITIONS, RETENTION_RUNS, RetentionRunRow

if TYPE_CHECKING:
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
        connection.execute(statement.on_conflict_do_update(["receiver"], set_=values))


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
