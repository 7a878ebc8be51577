"""Looking through the columns of events for what fits a filter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sovproxy.store.blocks import Reader, list_blocks, seqs_of, times_of
from sovproxy.store.times import microseconds
from sovproxy.store.words import lookup, numbers_of, numbers_where, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.blocks import Block
    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter
    from sovproxy.store.hosts import HostBook
    from sovproxy.store.packing import Numbers

_TRANSPORT: Final = 4  # its place in a detail
_AT_ONCE: Final = (1, 4, 16, 32)  # blocks that are read together, at first few


class Test(NamedTuple):
    """Which numbers in a column fit: for each number, whether; and the one number, if only one."""

    column: str
    fits: Numbers
    only: int | None


class Chosen(NamedTuple):
    """The rows of a block that fit; a slice if all do."""

    block: Block
    rows: Numbers | slice


@dataclass(frozen=True, slots=True)
class Scan:
    """One look through the columns, within one transaction: a filter, as numbers.

    `begin` is included, `end` is not (Unix µs).
    """

    reader: Reader
    blocks: Sequence[Block]
    tests: Sequence[Test]
    begin: int | None = None
    end: int | None = None

    def chosen(self, blocks: Sequence[Block] | None = None) -> Iterator[Chosen]:
        """What fits, block by block. A reader who stops early has little read in vain."""
        left, step = list(self.blocks if blocks is None else blocks), 0
        while left:
            size = _AT_ONCE[min(step, len(_AT_ONCE) - 1)]
            yield from self._chosen_together(left[:size])
            left, step = left[size:], step + 1

    def _chosen_together(self, blocks: list[Block]) -> list[Chosen]:
        """Test by test over some blocks, so that columns are read only where they matter."""
        left = [Chosen(block, slice(None)) for block in blocks]
        for test in self.tests:
            columns = self.reader.columns([item.block for item in left], test.column)
            tested = [
                _tested(item, test, column) for item, column in zip(left, columns, strict=True)
            ]
            left = [item for item in tested if item is not None]
        return [item for item in map(self._in_time, left) if item is not None]

    def _in_time(self, item: Chosen) -> Chosen | None:
        block = item.block
        late = self.begin is None or self.begin <= block.first_time
        early = self.end is None or block.last_time < self.end
        if late and early:
            return item
        times = times_of(block, self.reader, item.rows)
        fits = np.ones(len(times), np.bool_)
        if self.begin is not None:
            fits &= times >= self.begin
        if self.end is not None:
            fits &= times < self.end
        return _narrowed(item, fits)

    def times(self, item: Chosen) -> Numbers:
        """The times of what fits (Unix µs)."""
        return times_of(item.block, self.reader, item.rows)

    def seqs(self, item: Chosen) -> Numbers:
        """The `seq` of what fits."""
        return seqs_of(item.block, self.reader, item.rows)

    def column(self, item: Chosen, name: str) -> Numbers:
        """Another column of what fits: `sort`, or the number of a word."""
        column: Numbers = self.reader.column(item.block, name)[item.rows]
        return column


def _tested(item: Chosen, test: Test, column: Numbers) -> Chosen | None:
    values = column[item.rows]
    return _narrowed(item, values == test.only if test.only is not None else test.fits[values])


def _narrowed(item: Chosen, fits: Numbers) -> Chosen | None:
    if fits.all():
        return item
    places = np.flatnonzero(fits)
    if not places.size:
        return None
    rows = places if isinstance(item.rows, slice) else item.rows[places]
    return Chosen(item.block, rows)


def scan(
    connection: Connection,
    store: Store,
    wanted: Filter,
    *,
    tests: Sequence[Test] | None = None,
    begin: int | None = None,
    end: int | None = None,
    after_seq: int = 0,
) -> Scan:
    """Make a look for a filter, within the filter's range of time and this one.

    `tests` spares the making of them, where several looks are made for one filter.
    """
    begin = _latest(begin, microseconds(wanted.since) if wanted.since else None)
    end = _earliest(end, microseconds(wanted.until) if wanted.until else None)
    made = tests_of(connection, store, wanted) if tests is None else tests
    reader = Reader(connection, store.columns)
    nothing = any(not test.fits.any() for test in made)
    blocks = [] if nothing else list_blocks(connection, begin, end, after_seq)
    return Scan(reader, blocks, made, begin, end)


def tests_of(connection: Connection, store: Store, wanted: Filter) -> list[Test]:
    """The filter as tests of columns, first the one that the fewest numbers pass."""
    tests = []
    if wanted.client:
        numbers = numbers_of(connection, "client", wanted.client)
        tests.append(_test("client", lookup(connection, "client", numbers)))
    hosts = _hosts(connection, store.hosts, wanted)
    if hosts is not None:
        tests.append(_test("host", hosts))
    if wanted.names_sorts:
        tests.append(_test("sort", store.sorts.snapshot(connection).fitting(wanted)))
    if wanted.transport:
        tests.append(_test("detail", _transports(connection, wanted.transport)))
    return sorted(tests, key=lambda test: float(test.fits.mean()))


def _test(column: str, fits: Numbers) -> Test:
    places = np.flatnonzero(fits)
    return Test(column, fits, int(places[0]) if len(places) == 1 else None)


def _hosts(connection: Connection, book: HostBook, wanted: Filter) -> Numbers | None:
    """For each host, whether it fits; None if any does."""
    tests = []
    if wanted.host:
        tests.append(_named(connection, book, wanted.host))
    if wanted.host_contains:
        found = [book.having(connection, part) for part in wanted.host_contains]
        tests.append(lookup(connection, "host", np.concatenate(found)))
    if wanted.excluded_hosts:
        tests.append(~_named(connection, book, wanted.excluded_hosts))
    return np.logical_and.reduce(tests) if tests else None


def _named(connection: Connection, book: HostBook, names: Sequence[str]) -> Numbers:
    """Hosts by name, which knows no case; one that begins with a dot means all below it."""
    whole = [name for name in names if name[:1] != "."]
    exact = numbers_of(connection, "host", list({*whole, *map(str.lower, whole)}))
    found = [np.array(exact, np.int64)]
    found += [book.having(connection, name, at_end=True) for name in names if name[:1] == "."]
    return lookup(connection, "host", np.concatenate(found))


def _transports(connection: Connection, wanted: Sequence[str]) -> Numbers:
    known = numbers_where(connection, "detail")
    texts = texts_of(connection, {"detail": known})
    fits = [number for (_, number), text in texts.items() if json.loads(text)[_TRANSPORT] in wanted]
    return lookup(connection, "detail", fits)


def _latest(*times: int | None) -> int | None:
    return max((time for time in times if time is not None), default=None)


def _earliest(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)
