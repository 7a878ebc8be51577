"""Questions who a client is, as rows. Each change names the state that it starts from, so two
people, or two nodes, never both make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.tables import RESOLUTIONS, ResolutionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

    type EntryOf = Callable[[ResolutionRow], AuditRow]


def insert_resolution(store: Store, row: ResolutionRow, most: int, entry: AuditRow) -> bool:
    """Store a question; False if its requester has `most` waiting. Raises StoreUnavailable."""
    own = (RESOLUTIONS.c.requester == row.requester, RESOLUTIONS.c.state == row.state)
    waiting = select(func.count()).select_from(RESOLUTIONS).where(*own)
    with store.writing() as connection:
        if (connection.scalar(waiting) or 0) >= most:
            return False
        connection.execute(insert(RESOLUTIONS).values(row.model_dump()))
        add_entry(connection, entry)
    return True


def get_resolution(store: Store, resolution_id: str) -> ResolutionRow | None:
    """Give one question, or None. Raises StoreUnavailable."""
    query = select(RESOLUTIONS).where(RESOLUTIONS.c.id == resolution_id)
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return ResolutionRow(**row) if row else None


def list_resolutions(
    store: Store,
    limit: int,
    *,
    people: Sequence[str] = (),
    states: Sequence[str] = (),
    before: int | None = None,
) -> list[ResolutionRow]:
    """Give questions, newest first; of these people only, in these states only, and asked before
    `before` (Unix µs) only, if given. Raises StoreUnavailable.
    """
    query = select(RESOLUTIONS)
    if people:
        asked, decided = (column.in_(people) for column in _PEOPLE)
        query = query.where(or_(asked, decided))
    if states:
        query = query.where(RESOLUTIONS.c.state.in_(states))
    if before is not None:
        query = query.where(RESOLUTIONS.c.created < before)
    query = query.order_by(RESOLUTIONS.c.created.desc(), RESOLUTIONS.c.id).limit(limit)
    with store.reading() as connection:
        rows = connection.execute(query).mappings()
        return [ResolutionRow(**row) for row in rows]


def change_resolution(
    store: Store, resolution_id: str, start: str, values: dict[str, Any], entry: AuditRow
) -> bool:
    """Change a question in the state `start`; False if it is in another.

    Raises StoreUnavailable.
    """
    this = (RESOLUTIONS.c.id == resolution_id, RESOLUTIONS.c.state == start)
    with store.writing() as connection:
        if not connection.execute(update(RESOLUTIONS).where(*this).values(values)).rowcount:
            return False
        add_entry(connection, entry)
    return True


def end_resolutions(
    store: Store, start: str, values: dict[str, Any], now: int, entry_of: EntryOf | None = None
) -> None:
    """Change what is in the state `start` and over at `now` (Unix µs), with an entry for each.

    Raises StoreUnavailable.
    """
    over = (RESOLUTIONS.c.state == start, RESOLUTIONS.c.until <= now)
    with store.reading() as connection:
        if connection.execute(select(RESOLUTIONS.c.id).where(*over).limit(1)).first() is None:
            return
    ending = update(RESOLUTIONS).where(*over).values(values).returning(RESOLUTIONS)
    with store.writing() as connection:
        for row in connection.execute(ending).mappings().all():
            if entry_of:
                add_entry(connection, entry_of(ResolutionRow(**row)))


def delete_old_resolutions(store: Store, before: int, open_states: Sequence[str]) -> int:
    """Delete the questions asked before `before` (Unix µs) that are in no state of `open_states`,
    and say how many; the audit still tells of them. Raises StoreUnavailable.
    """
    old = (RESOLUTIONS.c.created < before, RESOLUTIONS.c.state.not_in(open_states))
    with store.writing() as connection:
        return connection.execute(delete(RESOLUTIONS).where(*old)).rowcount


_PEOPLE = (RESOLUTIONS.c.requester, RESOLUTIONS.c.decider)
