"""Nodes and shared acknowledgements as rows, and what tells cheaply that something changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, insert, or_, select, text, update

from sovproxy.store.bulk import insert_for
from sovproxy.store.tables import (
    ACKNOWLEDGEMENTS,
    EXCEPTION_STEPS,
    EXCEPTIONS,
    NODES,
    POLICY_VERSIONS,
    RESOLUTIONS,
    TOKENS,
    AcknowledgementRow,
    NodeRow,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from sovproxy.store.database import Store

_BATCH = 5000


class Marks(NamedTuple):
    """What is in force, by numbers that cost little to ask for; other marks, other state.

    `policy` is the number of the latest version; `exceptions` the last step of any, then number,
    sum of versions and sum of numbers of those in force; `resolutions` the ids that wait for a
    node; `acknowledgement` the last arrival.
    """

    policy: int
    exceptions: tuple[int, ...]
    resolutions: tuple[str, ...]
    acknowledgement: int


def read_marks(store: Store, now: int) -> Marks:
    """Read the marks as they are at `now` (Unix µs). Raises StoreUnavailable.

    A counter alone would not do for exceptions: on PostgreSQL numbers may become visible in another
    order than they were given out, and time ends exceptions too.
    """
    asked = EXCEPTIONS.c
    granted = select(
        select(func.max(EXCEPTION_STEPS.c.seq)).scalar_subquery(),
        func.count(),
        func.sum(asked.version),
        func.sum(asked.number),
    ).where(asked.state == "granted", asked.until > now)
    waiting = select(RESOLUTIONS.c.id).where(
        RESOLUTIONS.c.state == "approved", RESOLUTIONS.c.until > now
    )
    with store.reading() as connection:
        policy = connection.scalar(select(func.max(POLICY_VERSIONS.c.number))) or 0
        exceptions = tuple(int(value or 0) for value in connection.execute(granted).one())
        ids = connection.execute(waiting.order_by(RESOLUTIONS.c.id)).scalars().all()
        return Marks(policy, exceptions, tuple(ids), _last_acknowledgement(connection))


def _last_acknowledgement(connection: Connection) -> int:
    return connection.scalar(select(func.max(ACKNOWLEDGEMENTS.c.seq))) or 0


def approved_resolutions(store: Store, now: int, limit: int) -> list[tuple[str, str]]:
    """Give id and pseudonym of what two people want resolved. Raises StoreUnavailable."""
    table = RESOLUTIONS.c
    query = select(table.id, table.client).where(table.state == "approved", table.until > now)
    with store.reading() as connection:
        found = connection.execute(query.order_by(table.id).limit(limit))
        return [(row.id, row.client) for row in found]


def insert_acknowledgements(store: Store, rows: Sequence[AcknowledgementRow]) -> int:
    """Store acknowledgements, each id once, and say how many were new. Raises StoreUnavailable."""
    values = [row.model_dump(exclude={"seq"}) for row in rows]
    with store.writing() as connection:
        if store.dialect == "postgresql":  # numbers must become visible in order
            connection.execute(text("LOCK TABLE acknowledgement IN SHARE ROW EXCLUSIVE MODE"))
        statement = insert_for(connection, ACKNOWLEDGEMENTS).on_conflict_do_nothing()
        return sum(connection.execute(statement.values(value)).rowcount for value in values)


def acknowledgements_after(
    store: Store, seq: int, now: int, limit: int
) -> list[AcknowledgementRow]:
    """Give acknowledgements in force that arrived after `seq`, in order. Raises StoreUnavailable.

    `now` is in Unix microseconds.
    """
    table = ACKNOWLEDGEMENTS.c
    query = select(ACKNOWLEDGEMENTS).where(table.seq > seq, table.until > now)
    with store.reading() as connection:
        found = connection.execute(query.order_by(table.seq).limit(limit)).mappings()
        return [AcknowledgementRow(**row) for row in found]


def acknowledgements_of(
    store: Store, clients: Sequence[str], now: int, limit: int
) -> list[AcknowledgementRow]:
    """What these clients acknowledged and may still pass, last what came last: one of a subject.

    `now` is in Unix microseconds. Raises StoreUnavailable.
    """
    table = ACKNOWLEDGEMENTS.c
    query = select(ACKNOWLEDGEMENTS).where(table.client.in_(clients), table.until > now)
    with store.reading() as connection:
        found = connection.execute(query.order_by(table.seq.desc()).limit(limit)).mappings()
        rows = [AcknowledgementRow(**row) for row in found]
    latest = sorted(rows, key=lambda row: row.until)
    return sorted({row.subject: row for row in latest}.values(), key=lambda row: row.seq or 0)


def delete_old_acknowledgements(store: Store, now: int) -> int:
    """Delete what is over at `now` (Unix µs), and say how many. Raises StoreUnavailable.

    The last one stays: SQLite would give its number again, to one that nodes then never ask for.
    """
    table, deleted = ACKNOWLEDGEMENTS.c, 0
    while True:
        with store.writing() as connection:
            old = select(table.seq).where(
                table.until <= now, table.seq < _last_acknowledgement(connection)
            )
            found = connection.execute(old.limit(_BATCH)).scalars().all()
            if found:
                connection.execute(delete(ACKNOWLEDGEMENTS).where(table.seq.in_(found)))
        deleted += len(found)
        if len(found) < _BATCH:
            return deleted


def save_node(store: Store, row: NodeRow, most: int) -> bool:
    """Note a heartbeat; False if it is a new node and there are `most` already.

    Raises StoreUnavailable.
    """
    known = (NODES.c.token == row.token) & (NODES.c.name == row.name)
    with store.writing() as connection:
        changed = update(NODES).where(known).values(last=row.last, report=row.report)
        if connection.execute(changed).rowcount:
            return True
        if (connection.scalar(select(func.count()).select_from(NODES)) or 0) >= most:
            return False
        connection.execute(insert(NODES).values(row.model_dump(exclude={"id"})))
        return True


def list_nodes(store: Store) -> list[NodeRow]:
    """Give all nodes by name, and of one name the latest first. Raises StoreUnavailable."""
    query = select(NODES).order_by(NODES.c.name, NODES.c.last.desc(), NODES.c.id)
    with store.reading() as connection:
        return [NodeRow(**row) for row in connection.execute(query).mappings()]


def get_node(store: Store, node_id: int) -> NodeRow | None:
    """Give a node, or None. Raises StoreUnavailable."""
    with store.reading() as connection:
        row = connection.execute(select(NODES).where(NODES.c.id == node_id)).mappings().first()
    return NodeRow(**row) if row else None


def names_of_others(store: Store, token: str, names: Sequence[str], now: int) -> list[str]:
    """Which node names belong to another token that is in force at `now` (Unix µs) than `token`.

    A name belongs to a token that bears it, or that has reported under it. Raises StoreUnavailable.
    """
    in_force = (TOKENS.c.revoked.is_(None), or_(TOKENS.c.expires.is_(None), TOKENS.c.expires > now))
    others = (TOKENS.c.id != token, TOKENS.c.role == "node", *in_force)
    borne = select(TOKENS.c.name).where(TOKENS.c.name.in_(names), *others)
    reported = select(NODES.c.name).join(TOKENS, TOKENS.c.id == NODES.c.token)
    with store.reading() as connection:
        found = connection.execute(borne.union(reported.where(NODES.c.name.in_(names), *others)))
        return sorted(found.scalars())


def delete_node(store: Store, node_id: int) -> bool:
    """Forget a node; False if there is none. Raises StoreUnavailable."""
    with store.writing() as connection:
        return connection.execute(delete(NODES).where(NODES.c.id == node_id)).rowcount == 1
