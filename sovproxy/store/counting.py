"""Counts of connections from events and rollups together, by what they have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, literal, select

from sovproxy.events.event import EventKind
from sovproxy.store.filters import Facet, Filter, host_and_client
from sovproxy.store.records import split_control
from sovproxy.store.sorts import Sort
from sovproxy.store.tables import EVENTS, ROLLUPS, SORTS, TALLIES
from sovproxy.store.tally import DAY, HOUR, SECOND
from sovproxy.store.times import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from sovproxy.store.database import Store

MAX_SORTS: Final = 30_000  # SQLite takes 32,766 values in one question


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
        sorts = store.sorts.fitting(connection, wanted)
        if not sorts:
            return []
        found: Counter[int] = Counter()
        for piece in _pieces(wanted, 0):
            for _, sort, number in _numbers(connection, wanted, piece, 0):
                found[sort] += number
    return [Counted(sorts[sort], number) for sort, number in found.items() if sort in sorts]


def trend(store: Store, wanted: Filter, width: int) -> Counter[tuple[int, str]]:
    """Count what fits by buckets of `width` seconds (their start in Unix µs) and by action.

    Only decisions count, unless the filter names kinds. Raises StoreUnavailable.
    """
    asked = wanted if wanted.kind else replace(wanted, kind=(EventKind.DECISION,))
    result: Counter[tuple[int, str]] = Counter()
    with store.reading() as connection:
        sorts = store.sorts.fitting(connection, asked)
        for piece in _pieces(wanted, width):
            if piece.seconds and len(sorts) <= MAX_SORTS:
                plain = not wanted.names_more_than_time
                fits = SORTS.c.kind == EventKind.DECISION if plain else SORTS.c.id.in_(list(sorts))
                result.update(_by_action(connection, piece, width, fits))
                continue
            for start, sort, number in _numbers(connection, wanted, piece, width):
                if sort in sorts:
                    result[start, sorts[sort].action] += number
    return result


def _by_action(
    connection: Connection, piece: Piece, width: int, fits: ColumnElement[bool]
) -> dict[tuple[int, str], int]:
    """Let the database join the sorts of one action: they are few, and sorts may be many."""
    start = _bucket(TALLIES.c.start, width)
    query = (
        select(start.label("bucket"), SORTS.c.action, func.sum(TALLIES.c.number))
        .join(SORTS, SORTS.c.id == TALLIES.c.sort)
        .where(TALLIES.c.seconds == piece.seconds, fits)
        .where(*_within(TALLIES.c.start, piece))
        .group_by(start, SORTS.c.action)
    )
    rows = connection.execute(query)
    return {(int(start), action): int(number) for start, action, number in rows}


def _bucket(time: ColumnElement[int], width: int) -> ColumnElement[int]:
    return time - time % (width * SECOND) if width else literal(0)


def _within(time: ColumnElement[int], piece: Piece) -> list[ColumnElement[bool]]:
    begin = [] if piece.begin is None else [time >= piece.begin]
    return begin if piece.end is None else [*begin, time < piece.end]


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


def _numbers(
    connection: Connection, wanted: Filter, piece: Piece, width: int
) -> list[tuple[int, int, int]]:
    """Bucket, sort and number of everything in the piece that is of the right host and client."""
    if piece.seconds:
        same = TALLIES.c.seconds == piece.seconds
        query = _grouped(TALLIES, func.sum(TALLIES.c.number), piece, width).where(same)
        return _read(connection, query)
    query = _grouped(EVENTS, func.count(), piece, width)
    result = _read(connection, query.where(*host_and_client(wanted)))
    if not wanted.fits_no_rollup:
        number = func.sum(ROLLUPS.c["count"])
        result += _read(connection, _grouped(ROLLUPS, number, piece, width))
    return result


def _grouped(
    table: Table, number: ColumnElement[int], piece: Piece, width: int
) -> Select[int, int, int]:
    time, sort = table.c["time" if table is EVENTS else "start"], table.c["sort"]
    start = _bucket(time, width)
    query = select(start.label("bucket"), sort, number).where(*_within(time, piece))
    return query.group_by(start, sort) if width else query.group_by(sort)


def _read(connection: Connection, query: Select[int, int, int]) -> list[tuple[int, int, int]]:
    return [(int(row[0]), int(row[1]), int(row[2])) for row in connection.execute(query)]


def count_by(store: Store, facet: Facet, wanted: Filter) -> list[Count]:
    """Count connections by `facet`, most first. Raises StoreUnavailable."""
    return count_facets(store, (facet,), wanted)[0]


def count_facets(store: Store, facets: Sequence[Facet], wanted: Filter) -> list[list[Count]]:
    """Count connections by each of some facets, most first, all from one consistent state.

    Only decisions count, not acknowledgements, unless the filter names kinds. Filters that rollups
    cannot answer (operator, client, host, outcome) leave rollups out. A connection that is
    controlled from two countries counts for both. Raises StoreUnavailable.
    """
    found = decisions(counted(store, wanted), wanted)
    return [counts(found, facet) for facet in facets]


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
    events, rollups = numbers
    result = [Count(value, events[value], rollups[value]) for value in events | rollups]
    return sorted(result, key=lambda count: (-count.total, count.value))


def _parts(facet: Facet, value: str) -> tuple[str, ...]:
    """The countries of a control, each by itself; else the value."""
    return split_control(value) or ("",) if facet is Facet.CONTROL else (value,)
