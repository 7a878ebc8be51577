"""Questions to the store: search, one event, and what arrived since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, or_, select

from sovproxy.store.filters import Filter, conditions, host_and_client, time_conditions
from sovproxy.store.records import event_from_row
from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, FromClause, Row

    from sovproxy.events.event import Event
    from sovproxy.store.database import Store

NEARBY: Final = 10_000
MAX_SORTS: Final = 5000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place between events in the order of a search; `backwards` is the page that ends there."""

    time: int
    seq: int
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search, and where the pages after and before it begin."""

    events: list[Event] = field(default_factory=list)
    more_after: Place | None = None
    more_before: Place | None = None


def search(
    store: Store,
    wanted: Filter,
    limit: int,
    after: Place | None = None,
    *,
    oldest_first: bool = False,
) -> Found:
    """Find at most `limit` events, newest first unless told otherwise, beyond `after`.

    Raises StoreUnavailable.
    """
    backwards = after is not None and after.backwards
    ascending = oldest_first != backwards
    with store.reading() as connection:
        walk = _Walk(wanted, limit + 1, after, ascending)
        rows = walk.nearby(connection)
        if len(rows) <= limit and wanted.names_more_than_time:
            rows = walk.everywhere(connection, store.sorts.fitting(connection, wanted))
    more, shown = len(rows) > limit, rows[:limit]
    if backwards:
        shown = shown[::-1]
    following = more or backwards
    preceding = more if backwards else after is not None
    return Found(
        [event_from_row(row) for row in shown],
        Place(shown[-1].time, shown[-1].seq) if shown and following else None,
        Place(shown[0].time, shown[0].seq, backwards=True) if shown and preceding else None,
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk along the events in order of time, in one direction, from one place on.

    What is frequent is found soon by looking at the events that come next; what is not found there
    is rare, and then the indexes of sort, host and client lead to it.
    """

    wanted: Filter
    limit: int
    after: Place | None
    ascending: bool

    def nearby(self, connection: Connection) -> Sequence[Row[Any]]:
        """Find what fits among the next 10,000 events; all that fits if only time is asked."""
        beyond = _beyond(self.after, ascending=self.ascending)
        ordered = select(EVENTS).where(*time_conditions(self.wanted), *beyond)
        ordered = ordered.order_by(*self._order(EVENTS))
        if not self.wanted.names_more_than_time:
            return connection.execute(ordered.limit(self.limit)).all()
        near = ordered.limit(NEARBY).subquery()
        query = select(near).where(*conditions(self.wanted, near.c))
        return connection.execute(query.order_by(*self._order(near)).limit(self.limit)).all()

    def everywhere(self, connection: Connection, sorts: Collection[int]) -> Sequence[Row[Any]]:
        """Find what fits by the indexes, whose order is not that of time."""
        if not sorts:
            return []
        query = select(EVENTS).where(*time_conditions(self.wanted), *host_and_client(self.wanted))
        query = query.where(*_beyond(self.after, ascending=self.ascending))
        if self.wanted.names_sorts and len(sorts) <= MAX_SORTS:
            query = query.where(EVENTS.c.sort.in_(list(sorts)))
        else:
            query = query.where(*conditions(self.wanted, EVENTS.c))
        return connection.execute(query.order_by(*self._order(EVENTS, 0)).limit(self.limit)).all()

    def _order(self, table: FromClause, plus: int | None = None) -> list[ColumnElement[int]]:
        """The order of the walk; adding 0 keeps SQLite from walking along all of the times."""
        time, seq = table.c.time if plus is None else table.c.time + plus, table.c.seq
        return [time, seq] if self.ascending else [time.desc(), seq.desc()]


def _beyond(after: Place | None, *, ascending: bool) -> list[ColumnElement[bool]]:
    """The first condition is implied by the second, but only it can use an index."""
    if after is None:
        return []
    time, seq = EVENTS.c.time, EVENTS.c.seq
    same = time == after.time
    if ascending:
        return [time >= after.time, or_(time > after.time, and_(same, seq > after.seq))]
    return [time <= after.time, or_(time < after.time, and_(same, seq < after.seq))]


def count_matching(store: Store, wanted: Filter, limit: int) -> int:
    """Say how many events fit, `limit` at most. Raises StoreUnavailable."""
    some = select(EVENTS.c.seq).where(*time_conditions(wanted), *conditions(wanted, EVENTS.c))
    query = select(func.count()).select_from(some.limit(limit).subquery())
    with store.reading() as connection:
        return connection.scalar(query) or 0


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
    arrivals, seen = numbered_arrivals(store, wanted, seq, limit)
    return [event for _, event in arrivals], seen


def numbered_arrivals(
    store: Store, wanted: Filter, seq: int, limit: int = 500
) -> tuple[list[tuple[int, Event]], int]:
    """As `arrived_after`, each event with its `seq`. Raises StoreUnavailable."""
    query = select(EVENTS).where(
        EVENTS.c.seq > seq, *time_conditions(wanted), *conditions(wanted, EVENTS.c)
    )
    with store.reading() as connection:
        newest = connection.scalar(select(func.max(EVENTS.c.seq))) or 0
        rows = connection.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
    seen = rows[-1].seq if len(rows) == limit else max(newest, seq)
    return [(row.seq, event_from_row(row)) for row in rows], seen
