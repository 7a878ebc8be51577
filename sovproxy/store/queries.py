"""Questions to the store: search, one event, and what arrived since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from sovproxy.store.filters import Filter, conditions
from sovproxy.store.records import event_from_row
from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from sovproxy.events.event import Event
    from sovproxy.store.database import Store


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
    time, seq = EVENTS.c.time, EVENTS.c.seq
    query = select(EVENTS).where(*conditions(wanted, EVENTS), *_beyond(after, ascending=ascending))
    order = (time, seq) if ascending else (time.desc(), seq.desc())
    with store.reading() as connection:
        rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
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


def _beyond(after: Place | None, *, ascending: bool) -> list[ColumnElement[bool]]:
    """The first condition is implied by the second, but only it can use an index."""
    if after is None:
        return []
    time, seq = EVENTS.c.time, EVENTS.c.seq
    same = time == after.time
    if ascending:
        return [time >= after.time, or_(time > after.time, and_(same, seq > after.seq))]
    return [time <= after.time, or_(time < after.time, and_(same, seq < after.seq))]


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
    query = select(EVENTS).where(EVENTS.c.seq > seq, *conditions(wanted, EVENTS))
    with store.reading() as connection:
        newest = connection.scalar(select(func.max(EVENTS.c.seq))) or 0
        rows = connection.execute(query.order_by(EVENTS.c.seq).limit(limit)).all()
    seen = rows[-1].seq if len(rows) == limit else max(newest, seq)
    return [(row.seq, event_from_row(row)) for row in rows], seen
