"""Counts that are kept while records arrive: by hour, by day, and what was seen when.

Each batch adds one tally to each hour and day that it touches: the sorts in it, and how many of
each. All tallies of an hour add up; sixteen of one level are joined to one of the next.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from sqlalchemy import case, delete, literal_column, or_, select, tuple_

from sovproxy.store.bulk import chunks, insert_for, insert_rows, take_numbers
from sovproxy.store.driver import read_bytes
from sovproxy.store.packing import ColumnCache, pack, unpack
from sovproxy.store.tables import SEEN, TALLIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from sovproxy.store.packing import Numbers

HOUR: Final = 3600
DAY: Final = 86_400
SECOND: Final = 1_000_000
JOINED: Final = 16
_MOST_AT_ONCE: Final = 200

type Seen = Mapping[tuple[str, str], tuple[int, int]]


class Tally(NamedTuple):
    """How many connections (`numbers`) of some sorts began at `start` (Unix µs) or soon after."""

    start: int
    sorts: Numbers
    numbers: Numbers


def add_numbers(connection: Connection, times: Numbers, sorts: Numbers, numbers: Numbers) -> None:
    """Count records by hour and day: their times (Unix µs), sorts, and how many each stands for.

    The caller has the lock of `Store.ingesting`.
    """
    rows = [
        (seconds, *tally)
        for seconds in (HOUR, DAY)
        for tally in _summed(seconds, times, sorts, numbers)
    ]
    _write(connection, 0, rows)
    _join(connection, [(seconds, start) for seconds, start, _, _ in rows])


def _summed(
    seconds: int, times: Numbers, sorts: Numbers, numbers: Numbers
) -> list[tuple[int, Numbers, Numbers]]:
    starts = times // (seconds * SECOND)
    order = np.lexsort((sorts, starts))
    starts, sorts, numbers = starts[order], sorts[order], numbers[order]
    first = np.flatnonzero(np.r_[True, (np.diff(starts) != 0) | (np.diff(sorts) != 0)])
    sums = np.add.reduceat(numbers.astype(np.int64), first)
    starts, sorts = starts[first], sorts[first]
    cuts = [0, *(np.flatnonzero(np.diff(starts)) + 1).tolist(), len(starts)]
    return [
        (int(starts[begin]) * seconds * SECOND, sorts[begin:end], sums[begin:end])
        for begin, end in pairwise(cuts)
    ]


def _write(
    connection: Connection, level: int, rows: list[tuple[int, int, Numbers, Numbers]]
) -> None:
    first = take_numbers(connection, "tally", len(rows))
    packed = [
        (number, seconds, start, level, pack(sorts), pack(numbers))
        for number, (seconds, start, sorts, numbers) in enumerate(rows, start=first)
    ]
    insert_rows(connection, TALLIES, packed)


def _join(connection: Connection, touched: list[tuple[int, int]]) -> None:
    """Join the tallies of each hour and day that was touched, where there are enough."""
    same: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    columns = [TALLIES.c[name] for name in ("id", "seconds", "start", "level")]
    for chunk in chunks(touched):
        query = select(*columns).where(tuple_(TALLIES.c.seconds, TALLIES.c.start).in_(chunk))
        for number, *place in connection.execute(query):
            same[tuple(place)].append(number)
    for (seconds, start, level), ids in same.items():
        if len(ids) >= JOINED:
            # Nothing is remembered: a transaction that fails gives its ids again.
            parts = _load(connection, ColumnCache(0), ids)
            sorts = np.concatenate([tally.sorts for tally in parts])
            numbers = np.concatenate([tally.numbers for tally in parts])
            connection.execute(delete(TALLIES).where(TALLIES.c.id.in_(ids)))
            times = np.full(len(sorts), start, np.int64)
            joined = _summed(seconds, times, sorts, numbers)
            _write(connection, level + 1, [(seconds, *tally) for tally in joined])


def read_tallies(
    connection: Connection, cache: ColumnCache, seconds: int, begin: int | None, end: int | None
) -> list[Tally]:
    """All tallies of hours or days that begin in a range of time."""
    query = select(TALLIES.c.id).where(TALLIES.c.seconds == seconds)
    if begin is not None:
        query = query.where(TALLIES.c.start >= begin)
    if end is not None:
        query = query.where(TALLIES.c.start < end)
    return _load(connection, cache, list(connection.execute(query).scalars()))


def _load(connection: Connection, cache: ColumnCache, ids: list[int]) -> list[Tally]:
    result: list[Tally] = []
    missing = []
    for number in ids:
        found = cache.get(number)
        if found is None:
            missing.append(number)
        else:
            result.append(Tally(int(found[0][0]), found[1], found[2]))
    columns = (TALLIES.c.id, TALLIES.c.start, TALLIES.c.sorts, TALLIES.c.numbers)
    for chunk in chunks(missing, _MOST_AT_ONCE):
        query = select(*columns).where(TALLIES.c.id.in_(chunk))
        for number, start, sorts, numbers in read_bytes(connection, query):
            tally = Tally(start, unpack(sorts), unpack(numbers))
            cache.put(number, (np.array([start]), tally.sorts, tally.numbers))
            result.append(tally)
    return result


class SeenBook:
    """What is noted as seen: rows of `seen` are never deleted, and their times only grow apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[int, int]] = {}

    def unnoted(self, seen: Seen) -> Seen:
        """What is not noted yet, or was seen before that, or an hour after that."""
        with self._lock:
            known = self._known
            return {
                key: span
                for key, span in seen.items()
                if key not in known
                or span[0] < known[key][0]
                or span[1] >= known[key][1] + HOUR * SECOND
            }

    def remember(self, seen: Seen) -> None:
        """Remember what was committed."""
        for key, span in self.unnoted(seen).items():
            with self._lock:
                first, last = self._known.get(key, span)
                self._known[key] = (min(first, span[0]), max(last, span[1]))


def add_seen(connection: Connection, seen: Seen) -> None:
    """Note the first and last time (Unix µs) of what was seen, by kind and value.

    The last time is put forward by the hour only, to write less.
    """
    rows = [
        {"kind": kind, "value": value, "first": first, "last": last}
        for (kind, value), (first, last) in seen.items()
    ]
    if not rows:
        return
    statement = insert_for(connection, SEEN)
    new, old = statement.excluded, SEEN.c
    changes = {
        "first": case((new.first < old.first, new.first), else_=old.first),
        "last": case((new.last > old.last, new.last), else_=old.last),
    }
    later = new.last - old.last >= literal_column(str(HOUR * SECOND))
    noting = statement.on_conflict_do_update(
        index_elements=["kind", "value"], set_=changes, where=or_(new.first < old.first, later)
    )
    connection.execute(noting, rows)


def span_of(times: Iterable[tuple[Any, int, int]]) -> dict[Any, tuple[int, int]]:
    """Join the first and last times of each value to one span."""
    result: dict[Any, tuple[int, int]] = {}
    for value, first, last in times:
        old = result.get(value)
        result[value] = (min(first, old[0]), max(last, old[1])) if old else (first, last)
    return result
