"""The audit as rows: they are added and read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from sovproxy.store.tables import AUDIT, AuditRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from sovproxy.store.database import Store


def append_entry(store: Store, row: AuditRow) -> None:
    """Add an entry; it is durable when this returns. Raises StoreUnavailable."""
    with store.writing() as connection:
        add_entry(connection, row)


def add_entry(connection: Connection, row: AuditRow) -> None:
    """Add an entry in the same transaction as the change that it tells of."""
    connection.execute(insert(AUDIT).values(row.model_dump(exclude={"seq"})))


def list_entries(
    store: Store,
    limit: int,
    before: int | None = None,
    whats: Sequence[str] = (),
    tokens: Sequence[str] = (),
    *,
    name: str = "",
    since: int | None = None,
    until: int | None = None,
) -> list[AuditRow]:
    """Give at most `limit` entries, newest first, older than the entry `before`.

    `whats` and `tokens`, if given, name what was looked at and whose tokens, `name` a part of the
    name in any case; `since` (included) and `until` are Unix µs. Raises StoreUnavailable.
    """
    query = select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT.c.seq < before)
    if whats:
        query = query.where(AUDIT.c.what.in_(whats))
    if tokens:
        query = query.where(AUDIT.c.token.in_(tokens))
    if name:
        query = query.where(AUDIT.c.name.icontains(name, autoescape=True))
    if since is not None:
        query = query.where(AUDIT.c.time >= since)
    if until is not None:
        query = query.where(AUDIT.c.time < until)
    with store.reading() as connection:
        return [AuditRow(**row) for row in connection.execute(query).mappings()]
