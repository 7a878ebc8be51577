"""Counts of connections from events and rollups together, by what they have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from sqlalchemy import func, literal_column, select

from sovproxy.events.event import EventKind
from sovproxy.store.filters import Facet, Filter
from sovproxy.store.records import split_control
from sovproxy.store.scanning import scan, tests_of
from sovproxy.store.tables import ROLLUPS
from sovproxy.store.tally import DAY, HOUR, SECOND, read_tallies
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers
    from sovproxy.store.scanning import Test
    from sovproxy.store.sorts import Snapshot, Sort


_MOST_BUCKETS: Final = 10_000


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


class Totals(NamedTuple):
    """How many connections were of each sort, by the sort's id."""

    sorts: Snapshot
    numbers: Numbers

    def counted(self) -> list[Counted]:
        """The sorts of which there were any."""
        found = np.flatnonzero(self.numbers)
        pairs = zip(found.tolist(), self.numbers[found].tolist(), strict=True)
        return [Counted(sort, total) for at, total in pairs if (sort := self.sorts.sorts[at])]

    def by(self, *names: str) -> Counter[tuple[Any, ...]]:
        """Add up what has the same values in some fields of a sort."""
        found = np.flatnonzero(self.numbers)
        keys: Numbers = np.zeros(len(found), np.int64)
        columns = [self.sorts.column(name) for name in names]
        for values, codes in columns:
            keys = keys * max(len(values), 1) + codes[found]
        different, places = np.unique(keys, return_inverse=True)
        sums: Numbers = np.zeros(len(different), np.int64)
        np.add.at(sums, places, self.numbers[found])
        rows = zip(*_values(different, columns), strict=True)
        return Counter(dict(zip(rows, sums.tolist(), strict=True)))

    def minus(self, less: Totals) -> Totals:
        """What is left without some of it."""
        size = max(len(self.numbers), len(less.numbers))
        left: Numbers = np.zeros(size, np.int64)
        left[: len(self.numbers)] = self.numbers
        left[: len(less.numbers)] -= less.numbers
        longer = self.sorts if size == len(self.numbers) else less.sorts
        return Totals(longer, np.maximum(left, 0))

    def facet(self, facet: Facet) -> list[Count]:
        """Add up by one field, most first."""
        numbers: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for (rollup, value), total in self.by("rollup", facet.value).items():
            for part in _parts(facet, str(value)):
                numbers[rollup][part] += total
        return _sorted_counts(*numbers)


def _values(keys: Numbers, columns: Sequence[tuple[list[Any], Numbers]]) -> list[list[Any]]:
    """The values that were made one number of, for each field those of all keys."""
    result: list[list[Any]] = []
    for values, _ in reversed(columns):
        keys, codes = np.divmod(keys, max(len(values), 1))
        result.append([values[code] for code in codes.tolist()])
    return result[::-1]


def counted(store: Store, wanted: Filter) -> list[Counted]:
    """Count what fits by sort.

    A rollup belongs to the instant its bucket starts. Raises StoreUnavailable.
    """
    return totals(store, wanted).counted()


def totals(store: Store, wanted: Filter) -> Totals:
    """As `counted`, as columns. Raises StoreUnavailable."""
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        return Totals(sorts, _totals(connection, store, sorts, wanted))


def decisions_only(wanted: Filter) -> Filter:
    """Leave out what is no decision, unless the filter names the kinds it wants."""
    return wanted if wanted.kind else replace(wanted, kind=(EventKind.DECISION,))


def _totals(connection: Connection, store: Store, sorts: Snapshot, wanted: Filter) -> Numbers:
    """How many connections of each sort fit, by the sort's id."""
    sums: Numbers = np.zeros(len(sorts.exists), np.int64)
    for item in _numbers(connection, store, wanted, 0):
        if item.unique:
            sums[item.sorts] += item.numbers
        else:
            sums += np.bincount(item.sorts, item.numbers, len(sums)).astype(np.int64)
    return np.where(sorts.fitting(wanted), sums, 0)


def trend(store: Store, wanted: Filter, width: int) -> Counter[tuple[int, str]]:
    """Count what fits by buckets of `width` seconds (their start in Unix µs) and by action.

    Only decisions count, unless the filter names kinds. Raises StoreUnavailable.
    """
    asked = decisions_only(wanted)
    result: Counter[tuple[int, str]] = Counter()
    with store.reading() as connection:
        sorts = store.sorts.snapshot(connection)
        fitting, (actions, codes) = sorts.fitting(asked), sorts.column("action")
        for item in _numbers(connection, store, asked, width):
            fits = fitting[item.sorts]
            buckets, places = _numbered(item.buckets[fits], width)
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
        yield from _of_events(connection, store, wanted, tests, piece, width=width)
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
    *,
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


def _numbered(buckets: Numbers, width: int) -> tuple[Numbers, Numbers]:
    """All buckets from the first to the last, and the place of each given one among them."""
    if not buckets.size:
        return buckets, buckets
    first, length = int(buckets.min()), width * SECOND
    if int(buckets.max()) - first > _MOST_BUCKETS * length:
        different, found = np.unique(buckets, return_inverse=True)
        return different, found
    places = (buckets - first) // length
    return first + np.arange(int(places.max()) + 1) * length, places


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
    found = totals(store, decisions_only(wanted))
    return [found.facet(facet) for facet in facets]


def _sorted_counts(events: Counter[str], rollups: Counter[str]) -> list[Count]:
    result = [Count(value, events[value], rollups[value]) for value in events | rollups]
    return sorted(result, key=lambda count: (-count.total, count.value))


def _parts(facet: Facet, value: str) -> tuple[str, ...]:
    """The countries of a control, each by itself; else the value."""
    return split_control(value) or ("",) if facet is Facet.CONTROL else (value,)
