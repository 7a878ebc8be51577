"""Questions to the store: search, one event, what arrived since, and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, func, or_, select

from sovproxy.events.event import EventKind
from sovproxy.store.records import event_from_row, microseconds, split_control
from sovproxy.store.tables import EVENTS, ROLLUPS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Table

    from sovproxy.events.event import Event
    from sovproxy.store.database import Store


class Facet(StrEnum):
    """What can be counted by."""

    SERVICE = "service"
    ACTION = "action"
    CONTROL = "control"
    STANDING = "standing"
    RULE = "rule"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for. Empty means anything; within one field any value fits.

    `since` is included, `until` is not. A `host` that begins with a dot means every host below it.
    """

    since: datetime | None = None
    until: datetime | None = None
    service: Sequence[str] = ()
    operator: Sequence[str] = ()
    control: Sequence[str] = ()
    standing: Sequence[str] = ()
    action: Sequence[str] = ()
    rule: Sequence[str] = ()
    group: Sequence[str] = ()
    node: Sequence[str] = ()
    client: Sequence[str] = ()
    host: Sequence[str] = ()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event stands in the order of a search: its time (Unix µs) and its row."""

    time: int
    seq: int


@dataclass(frozen=True, slots=True)
class Found:
    """Some events, newest first, and the place of the last one if there are more."""

    events: list[Event] = field(default_factory=list)
    more_after: Place | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many connections had one value: those with an event of their own, and those counted."""

    value: str
    events: int
    rollups: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.events + self.rollups


def search(store: Store, wanted: Filter, limit: int, after: Place | None = None) -> Found:
    """Find at most `limit` events, newest first, older than `after`. Raises StoreUnavailable."""
    time, seq = EVENTS.c.time, EVENTS.c.seq
    query = select(EVENTS).where(*_conditions(wanted, EVENTS))
    if after:
        query = query.where(or_(time < after.time, and_(time == after.time, seq < after.seq)))
        query = query.where(time <= after.time)
    query = query.order_by(time.desc(), seq.desc()).limit(limit + 1)
    with store.reading() as connection:
        rows = connection.execute(query).all()
    shown = rows[:limit]
    more_after = Place(shown[-1].time, shown[-1].seq) if len(rows) > limit else None
    return Found([event_from_row(row) for row in shown], more_after)


def get_event(store: Store, wanted: UUID) -> Event | None:
    """Give one event by its id, or None. Raises StoreUnavailable."""
    with store.reading() as connection:
        row = connection.execute(select(EVENTS).where(EVENTS.c.id == wanted)).first()
    return event_from_row(row) if row else None


def last_arrival(store: Store) -> int:
    """The `seq` of the event that arrived last, 0 if there is none. Raises StoreUnavailable."""
    with store.reading() as connection:
        return connection.scalar(select(func.max(EVENTS.c.seq))) or 0


def arrived_after(
    store: Store, wanted: Filter, seq: int, limit: int = 500
) -> tuple[list[Event], int]:
    """Events that arrived after `seq`, in order of arrival, and where to go on.

    Arrival, not time: what waited in a node's spool arrives late. Raises StoreUnavailable.
    """
    query = select(EVENTS).where(EVENTS.c.seq > seq, *_conditions(wanted, EVENTS))
    with store.reading() as connection:
        newest = connection.scalar(select(func.max(EVENTS.c.seq))) or 0
        rows = connection.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
    seen = rows[-1].seq if len(rows) == limit else max(newest, seq)
    return [event_from_row(row) for row in rows], seen


def count_by(store: Store, facet: Facet, wanted: Filter) -> list[Count]:
    """Count connections by `facet`, most first, from events and rollups together.

    Only decisions count, not acknowledgements. Filters that rollups cannot answer (operator,
    client, host) leave rollups out. A rollup belongs to the instant its bucket starts. A connection
    that is controlled from two countries counts for both. Raises StoreUnavailable.
    """
    decisions = EVENTS.c.kind == EventKind.DECISION
    with store.reading() as connection:
        events = _count(connection, EVENTS, facet, func.count(), wanted, decisions)
        rollups: Counter[str] = Counter()
        if not (wanted.operator or wanted.client or wanted.host):
            rollups = _count(connection, ROLLUPS, facet, func.sum(ROLLUPS.c["count"]), wanted)
    counts = [Count(value, events[value], rollups[value]) for value in events | rollups]
    return sorted(counts, key=lambda count: (-count.total, count.value))


def _count(
    connection: Connection,
    table: Table,
    facet: Facet,
    number: ColumnElement[int],
    wanted: Filter,
    *more: ColumnElement[bool],
) -> Counter[str]:
    column = table.c[facet.value]
    query = select(column, number).where(*_conditions(wanted, table), *more).group_by(column)
    result: Counter[str] = Counter()
    for value, count in connection.execute(query):
        for part in (split_control(value) or ("",)) if facet is Facet.CONTROL else (value,):
            result[part] += int(count)
    return result


def _conditions(wanted: Filter, table: Table) -> list[ColumnElement[bool]]:
    columns = table.c
    time = columns["time" if table is EVENTS else "start"]
    conditions = []
    if wanted.since:
        conditions.append(time >= microseconds(wanted.since))
    if wanted.until:
        conditions.append(time < microseconds(wanted.until))
    for name in ("service", "operator", "standing", "action", "rule", "group", "node", "client"):
        values = getattr(wanted, name)
        if values and name in columns:
            conditions.append(columns[name].in_(values))
    if wanted.control:
        conditions.append(or_(*(_controlled(columns["control"], item) for item in wanted.control)))
    if wanted.host and "host" in columns:
        conditions.append(or_(*(_host(columns["host"], item) for item in wanted.host)))
    return conditions


def _controlled(column: ColumnElement[str], country: str) -> ColumnElement[bool]:
    joined = "," + column + ","
    return joined.contains(f",{country},", autoescape=True)


def _host(column: ColumnElement[str], host: str) -> ColumnElement[bool]:
    return column.endswith(host, autoescape=True) if host.startswith(".") else column == host
