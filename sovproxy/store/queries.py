"""Questions to the store: search, one event, and what arrived since."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from sovproxy.store.bulk import last_number
from sovproxy.store.records import events_from_rows
from sovproxy.store.scanning import scan
from sovproxy.store.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from sovproxy.events.event import Event
    from sovproxy.store.blocks import Block
    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter
    from sovproxy.store.packing import Numbers
    from sovproxy.store.scanning import Chosen, Scan


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
    walk = Walk(limit + 1, after, ascending=oldest_first != backwards)
    with store.reading() as connection:
        places = walk.places(scan(connection, store, wanted, begin=walk.begin, end=walk.end))
        more, shown = len(places) > limit, places[:limit]
        if backwards:
            shown = shown[::-1]
        events = _events(connection, store, shown)
    following = more or backwards
    preceding = more if backwards else after is not None
    return Found(
        events,
        shown[-1] if shown and following else None,
        replace(shown[0], backwards=True) if shown and preceding else None,
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk along the events in order of time, in one direction, from one place on."""

    limit: int
    after: Place | None
    ascending: bool

    @property
    def begin(self) -> int | None:
        """Where the range beyond the place begins; others of the same instant are in it."""
        return self.after.time if self.after and self.ascending else None

    @property
    def end(self) -> int | None:
        """Where the range beyond the place ends; others of the same instant are in it."""
        return self.after.time + 1 if self.after and not self.ascending else None

    def places(self, look: Scan) -> list[Place]:
        """The next places that fit, in order. Blocks that are too far away are not read."""
        times, seqs = np.empty(0, np.int64), np.empty(0, np.int64)
        ordered = sorted(look.blocks, key=self._nearest)
        for chosen in look.chosen(ordered):
            if len(times) == self.limit and self._is_beyond(chosen.block, int(times[-1])):
                break
            found = self._beyond(look.times(chosen), look.seqs(chosen))
            times, seqs = (np.r_[old, new] for old, new in zip((times, seqs), found, strict=True))
            times, seqs = self._first(times, seqs)
        return [Place(*place) for place in zip(times.tolist(), seqs.tolist(), strict=True)]

    def _first(self, times: Numbers, seqs: Numbers) -> tuple[Numbers, Numbers]:
        """The first of some places, in order. Most are put aside before they are sorted."""
        if len(times) > self.limit:
            place = self.limit - 1 if self.ascending else len(times) - self.limit
            last = np.partition(times, place)[place]
            near = np.flatnonzero(times <= last if self.ascending else times >= last)
            times, seqs = times[near], seqs[near]
        order = np.lexsort((seqs, times))
        order = (order if self.ascending else order[::-1])[: self.limit]
        return times[order], seqs[order]

    def _nearest(self, block: Block) -> int:
        return block.first_time if self.ascending else -block.last_time

    def _is_beyond(self, block: Block, last: int) -> bool:
        return block.first_time > last if self.ascending else block.last_time < last

    def _beyond(self, times: Numbers, seqs: Numbers) -> tuple[Numbers, Numbers]:
        if self.after is None:
            return times, seqs
        time, seq, same = self.after.time, self.after.seq, times == self.after.time
        if self.ascending:
            fits = (times > time) | (same & (seqs > seq))
        else:
            fits = (times < time) | (same & (seqs < seq))
        return times[fits], seqs[fits]


def _events(connection: Connection, store: Store, places: Sequence[Place]) -> list[Event]:
    """The events at some places, in their order. The range of time spares most partitions."""
    return [event for _, event in _numbered(connection, store, places)]


def _numbered(
    connection: Connection, store: Store, places: Sequence[Place]
) -> list[tuple[int, Event]]:
    if not places:
        return []
    times, seqs = [place.time for place in places], [place.seq for place in places]
    query = select(EVENTS).where(EVENTS.c.seq.in_(seqs))
    if connection.dialect.name != "sqlite":
        query = query.where(EVENTS.c.time.between(min(times), max(times)))
    rows = {row.seq: row for row in connection.execute(query)}
    kept = [seq for seq in seqs if seq in rows]
    sorts = store.sorts.snapshot(connection)
    return list(
        zip(kept, events_from_rows(connection, sorts, [rows[s] for s in kept]), strict=True)
    )


def count_matching(store: Store, wanted: Filter, limit: int) -> int:
    """Say how many events fit, `limit` at most. Raises StoreUnavailable."""
    total = 0
    with store.reading() as connection:
        look = scan(connection, store, wanted)
        for chosen in look.chosen():
            total += _size(chosen)
            if total >= limit:
                return limit
    return total


def _size(chosen: Chosen) -> int:
    return chosen.block.size if isinstance(chosen.rows, slice) else len(chosen.rows)


def events_at(store: Store, places: Sequence[Place]) -> dict[Place, Event]:
    """The events at some places; one that retention took meanwhile is left out.

    Raises StoreUnavailable.
    """
    with store.reading() as connection:
        found = dict(_numbered(connection, store, places))
    return {place: found[place.seq] for place in places if place.seq in found}


def get_event(store: Store, wanted: UUID) -> Event | None:
    """Give one event by its id, or None. Raises StoreUnavailable."""
    with store.reading() as connection:
        rows = connection.execute(select(EVENTS).where(EVENTS.c.id == wanted)).all()
        sorts = store.sorts.snapshot(connection)
        return next(iter(events_from_rows(connection, sorts, rows)), None)


def last_arrival(store: Store) -> int:
    """The `seq` of the event that arrived last, 0 if there is none. Raises StoreUnavailable."""
    with store.reading() as connection:
        return last_number(connection, "event")


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
    with store.reading() as connection:
        newest = last_number(connection, "event")
        if newest <= seq:
            return [], seq
        look = scan(connection, store, wanted, after_seq=seq)
        places: list[Place] = []
        for chosen in look.chosen():
            pairs = zip(look.times(chosen).tolist(), look.seqs(chosen).tolist(), strict=True)
            places += [Place(time, number) for time, number in pairs if number > seq]
        places = sorted(places, key=lambda place: place.seq)[:limit]
        arrivals = _numbered(connection, store, places)
    return arrivals, places[-1].seq if len(places) == limit else newest
