"""The audit as rows: they are added and read, never changed, and deleted by retention alone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select

from sovproxy.store.chain import GENESIS, Anchor, Deleted, deleted_by, entry_hash
from sovproxy.store.tables import AUDIT, AuditRow
from sovproxy.store.tables.audit import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.chain import Entry
    from sovproxy.store.database import Store


FIRST: Final = -(2**63)
PAGE: Final = 2000
"""Entries that are read at once when all are."""


def append_entry(store: Store, row: AuditRow) -> None:
    """Add an entry; it is durable when this returns. Raises StoreUnavailable."""
    with store.writing() as connection:
        add_entry(connection, row)


def add_entry(connection: Connection, row: AuditRow) -> None:
    """Add an entry in the same transaction as the change that it tells of, and chain it.

    The connection is one of `Store.writing`, of which there is one at a time, in all processes; so
    no two entries follow the same one.
    """
    last = _last(connection)
    entry = row.model_dump() | {"seq": last.seq + 1}
    entry["hash"] = entry_hash(last.hash, entry)
    connection.execute(insert(AUDIT).values(entry))


def _last(connection: Connection) -> Anchor:
    query = select(AUDIT.c.seq, AUDIT.c.hash, AUDIT.c.time).order_by(AUDIT.c.seq.desc()).limit(1)
    found = connection.execute(query).first()
    return Anchor(found.hash, found.seq, found.time) if found else Anchor(GENESIS)


def last_entry(store: Store) -> Anchor:
    """The newest entry's number, hash and time: an anchor. Raises StoreUnavailable."""
    with store.reading() as connection:
        return _last(connection)


@contextmanager
def all_entries(store: Store, begin: int = FIRST) -> Iterator[tuple[Deleted, Iterator[Entry]]]:
    """What retention has deleted, and all entries from the number `begin` on, oldest first.

    They are as they were at one instant. Raises StoreUnavailable.
    """
    with store.reading() as connection:
        yield deleted_by(_checkpoint(connection)), _paged(connection, begin)


def _paged(connection: Connection, begin: int) -> Iterator[Entry]:
    while True:
        query = select(AUDIT).where(AUDIT.c.seq >= begin).order_by(AUDIT.c.seq).limit(PAGE)
        rows = connection.execute(query).mappings().all()
        yield from (dict(row) for row in rows)
        if len(rows) < PAGE:
            return
        begin = rows[-1]["seq"] + 1


def _checkpoint(connection: Connection) -> Entry | None:
    query = select(AUDIT).where(AUDIT.c.what == CHECKPOINT).order_by(AUDIT.c.seq.desc()).limit(1)
    found = connection.execute(query).mappings().first()
    return dict(found) if found else None


def oldest_time(store: Store) -> int | None:
    """When the oldest entry was made (Unix µs), or None. Raises StoreUnavailable."""
    with store.reading() as connection:
        found: int | None = connection.scalar(select(AUDIT.c.time).order_by(AUDIT.c.seq).limit(1))
    return found


def delete_before(store: Store, before: int, checkpoint: Callable[[Deleted], AuditRow]) -> int:
    """Delete the entries older than `before` (Unix µs) and say how many.

    Only from the oldest on, without a gap. `checkpoint` makes the entry that tells of it, which
    is added first, and from which checking the chain begins afterwards. Raises StoreUnavailable.
    """
    kept = select(func.min(AUDIT.c.seq)).where(AUDIT.c.time >= before)
    with store.writing() as connection:
        first_kept = connection.scalar(kept)
        old = select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(1)
        if first_kept is not None:
            old = old.where(AUDIT.c.seq < first_kept)
        last = connection.execute(old).mappings().first()
        if last is None:
            return 0
        add_entry(connection, checkpoint(Deleted(last["seq"], last["hash"], last["time"])))
        gone = delete(AUDIT).where(AUDIT.c.seq <= last["seq"])
        return connection.execute(gone).rowcount


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
