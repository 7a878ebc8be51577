"""Counts of connections from events and rollups together, by what they have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sqlalchemy import func, literal_column, select

from sovproxy.events.event import EventKind
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.records import split_control
from sovproxy.store.scanning import scan, tests_of
from sovproxy.store.sorts import Sort
from sovproxy.store.tables import ROLLUPS
from sovproxy.store.tally import DAY, HOUR, SECOND, read_tallies
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers
    from sovproxy.store.scanning import Test
    from sovproxy.store.sorts import Snapshot


class Counted(NamedTuple):
    """How many connections were of one sort."""

    sort: Sort
    number: int


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


def counted(store: Store, wanted: Filter) -> list[Counted]:
    """Count what fits by sort.

    A rollup belongs to the instant its bucket starts. Raises StoreUnavailable.
    """
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        totals = _totals(connection, store, sorts, wanted)
    found = np.flatnonzero(totals)
    pairs = zip(found.tolist(), totals[found].tolist(), strict=True)
    return [Counted(sort, total) for number, total in pairs if (sort := sorts.sorts[number])]


def _totals(connection: Connection, store: Store, sorts: Snapshot, wanted: Filter) -> Numbers:
    """How many connections of each sort fit, by the sort's id."""
    totals: Numbers = np.zeros(len(sorts.exists), np.int64)
    for item in _numbers(connection, store, wanted, 0):
        if item.unique:
            totals[item.sorts] += item.numbers
        else:
            totals += np.bincount(item.sorts, item.numbers, len(totals)).astype(np.int64)
    return np.where(sorts.fitting(wanted), totals, 0)


def trend(store: Store, wanted: Filter, width: int) -> Counter[tuple[int, str]]:
    """Count what fits by buckets of `width` seconds (their start in Unix µs) and by action.

    Only decisions count, unless the filter names kinds. Raises StoreUnavailable.
    """
    asked = wanted if wanted.kind else replace(wanted, kind=(EventKind.DECISION,))
    result: Counter[tuple[int, str]] = Counter()
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        fitting, (actions, codes) = sorts.fitting(asked), sorts.column("action")
        for item in _numbers(connection, store, asked, width):
            fits = fitting[item.sorts]
            buckets, places = np.unique(item.buckets[fits], return_inverse=True)
            keys = places * len(actions) + codes[item.sorts[fits]]
            sums = np.bincount(keys, item.numbers[fits], len(buckets) * len(actions))
            for key in np.flatnonzero(sums).tolist():
                bucket, action = divmod(key, len(actions))
                result[int(buckets[bucket]), actions[action]] += int(sums[key])
    return result


class Piece(NamedTuple):
    """A piece of the range (Unix µs, None without end), and the length of the tallies that fill it:
    seconds, or 0 where only the records themselves can tell."""

    begin: int | None
    end: int | None
    seconds: int


def _pieces(wanted: Filter, width: int) -> list[Piece]:
    """Cut the range so that as much as possible is counted by days, then hours, then records."""
    begin = microseconds(wanted.since) if wanted.since else None
    end = microseconds(wanted.until) if wanted.until else None
    lengths = (seconds for seconds in (DAY, HOUR) if width % seconds == 0)
    usable = [] if wanted.names_hosts_or_clients else list(lengths)
    return cut(Piece(begin, end, 0), usable)


def cut(piece: Piece, lengths: list[int]) -> list[Piece]:
    """Cut a piece into whole multiples of the greatest length, and what is left on both sides."""
    if not lengths:
        return [piece]
    length = lengths[0] * SECOND
    first = None if piece.begin is None else -(-piece.begin // length) * length
    last = None if piece.end is None else piece.end // length * length
    if first is not None and last is not None and first >= last:
        return cut(piece, lengths[1:])
    result = [Piece(first, last, lengths[0])]
    if piece.begin is not None and first is not None and piece.begin < first:
        result += cut(Piece(piece.begin, first, 0), lengths[1:])
    if piece.end is not None and last is not None and last < piece.end:
        result += cut(Piece(last, piece.end, 0), lengths[1:])
    return result


class Numbered(NamedTuple):
    """How many connections (`numbers`) of some sorts began in some buckets (Unix µs).

    `unique` says that each sort stands there once.
    """

    buckets: Numbers
    sorts: Numbers
    numbers: Numbers
    unique: bool


def _numbers(
    connection: Connection, store: Store, wanted: Filter, width: int
) -> Iterator[Numbered]:
    """Everything of the right time, host and client; of tallies also what is of other sorts."""
    tests: list[Test] | None = None
    for piece in _pieces(wanted, width):
        if piece.seconds:
            yield from _of_tallies(connection, store, piece, width)
            continue
        tests = tests_of(connection, store, wanted) if tests is None else tests
        yield from _of_events(connection, store, wanted, tests, piece, width)
        if not wanted.fits_no_rollup:
            yield from _of_rollups(connection, piece, width)


def _of_tallies(
    connection: Connection, store: Store, piece: Piece, width: int
) -> Iterator[Numbered]:
    found = read_tallies(connection, store.columns, piece.seconds, piece.begin, piece.end)
    if not width:
        for tally in found:
            yield Numbered(tally.sorts, tally.sorts, tally.numbers, unique=True)
    elif found:
        starts = np.repeat([item.start for item in found], [len(item.sorts) for item in found])
        sorts = np.concatenate([item.sorts for item in found])
        numbers = np.concatenate([item.numbers for item in found])
        yield Numbered(_bucket(starts, width), sorts, numbers, unique=False)


def _of_events(
    connection: Connection,
    store: Store,
    wanted: Filter,
    tests: Sequence[Test],
    piece: Piece,
    width: int,
) -> Iterator[Numbered]:
    look = scan(connection, store, wanted, tests=tests, begin=piece.begin, end=piece.end)
    for chosen in look.chosen():
        sorts = look.column(chosen, "sort")
        buckets = _bucket(look.times(chosen), width) if width else sorts
        yield Numbered(buckets, sorts, np.ones(len(sorts), np.int64), unique=False)


def _of_rollups(connection: Connection, piece: Piece, width: int) -> Iterator[Numbered]:
    start, sort = ROLLUPS.c.start, ROLLUPS.c.sort
    bucket = start - start % (width * SECOND) if width else literal_column("0")
    query = select(bucket.label("bucket"), sort, func.sum(ROLLUPS.c["count"]))
    if piece.begin is not None:
        query = query.where(start >= piece.begin)
    if piece.end is not None:
        query = query.where(start < piece.end)
    rows = connection.execute(query.group_by("bucket", sort)).all()
    if rows:
        buckets, sorts, numbers = (
            np.array([int(row[place]) for row in rows], np.int64) for place in range(3)
        )
        yield Numbered(buckets, sorts, numbers, unique=False)


def _bucket(times: Numbers, width: int) -> Numbers:
    """Where the buckets begin that times are in."""
    length = width * SECOND
    return times // length * length


def count_by(store: Store, facet: Facet, wanted: Filter) -> list[Count]:
    """Count connections by `facet`, most first. Raises StoreUnavailable."""
    return count_facets(store, (facet,), wanted)[0]


def count_facets(store: Store, facets: Sequence[Facet], wanted: Filter) -> list[list[Count]]:
    """Count connections by each of some facets, most first, all from one consistent state.

    Only decisions count, not acknowledgements, unless the filter names kinds. Filters that rollups
    cannot answer (operator, client, host, outcome) leave rollups out. A connection that is
    controlled from two countries counts for both. Raises StoreUnavailable.
    """
    asked = wanted if wanted.kind else replace(wanted, kind=(EventKind.DECISION,))
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        totals = _totals(connection, store, sorts, asked)
    return [_facet(sorts, totals, facet) for facet in facets]


def _facet(sorts: Snapshot, totals: Numbers, facet: Facet) -> list[Count]:
    """Add up by one field what was counted by sort."""
    found = np.flatnonzero(totals)
    values, codes = sorts.column(facet.value)
    flags, rollup = sorts.column("rollup")
    sums = np.zeros((len(flags), len(values)), np.int64)
    np.add.at(sums, (rollup[found], codes[found]), totals[found])
    numbers: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for flag, place in zip(*np.nonzero(sums), strict=True):
        for part in _parts(facet, str(values[place])):
            numbers[flags[flag]][part] += int(sums[flag, place])
    return _sorted_counts(*numbers)


def _sorted_counts(events: Counter[str], rollups: Counter[str]) -> list[Count]:
    result = [Count(value, events[value], rollups[value]) for value in events | rollups]
    return sorted(result, key=lambda count: (-count.total, count.value))


def decisions(found: Iterable[Counted], wanted: Filter) -> list[Counted]:
    """Leave out what is no decision, unless the filter names the kinds it wants."""
    if wanted.kind:
        return list(found)
    return [item for item in found if item.sort.kind == EventKind.DECISION]


def counts(found: Iterable[Counted], facet: Facet) -> list[Count]:
    """Count what was found by one facet, most first."""
    place = Sort._fields.index(facet.value)
    totals: dict[tuple[bool, str | int], int] = {}
    for sort, number in found:
        key = (sort.rollup, sort[place])
        totals[key] = totals.get(key, 0) + number
    numbers: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for (rollup, value), number in totals.items():
        for part in _parts(facet, str(value)):
            numbers[rollup][part] += number
    return _sorted_counts(*numbers)


def _parts(facet: Facet, value: str) -> tuple[str, ...]:
    """The countries of a control, each by itself; else the value."""
    return split_control(value) or ("",) if facet is Facet.CONTROL else (value,)
