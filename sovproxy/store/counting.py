"""Counts of connections from events and rollups together, by what they have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, literal, select

from sovproxy.events.event import EventKind
from sovproxy.store.filters import Facet, Filter, conditions
from sovproxy.store.records import split_control
from sovproxy.store.tables import EVENTS, ROLLUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Table

    from sovproxy.store.database import Store


class Sort(NamedTuple):
    """What is counted together. A rollup is a decision without operator and outcome."""

    rollup: bool
    kind: str
    group: str
    service: str
    operator: str
    control: str
    location: str
    asn: int
    action: str
    rule: str
    node: str
    standing: str
    outcome: str
    decrypted: bool


class Counted(NamedTuple):
    """How many connections of one sort began in one bucket of time (Unix µs; 0 without buckets)."""

    start: int
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


def counted(store: Store, wanted: Filter, width: int = 0) -> list[Counted]:
    """Count what fits by sort, and by buckets of `width` seconds if given.

    A rollup belongs to the instant its bucket starts. Raises StoreUnavailable.
    """
    with store.reading() as connection:
        return _recorded(connection, wanted, width)


def _recorded(connection: Connection, wanted: Filter, width: int) -> list[Counted]:
    """Count from the records themselves."""
    result = _grouped(connection, EVENTS, wanted, width)
    if not wanted.fits_no_rollup:
        result += _grouped(connection, ROLLUPS, wanted, width)
    return result


def _grouped(connection: Connection, table: Table, wanted: Filter, width: int) -> list[Counted]:
    events = table is EVENTS
    time = table.c["time" if events else "start"]
    start = time - time % (width * 1_000_000) if width else literal(0)
    names = [name for name in Sort._fields if name in table.c]
    columns = [start.label("bucket"), *(table.c[name] for name in names)]
    number = func.count() if events else func.sum(table.c["count"])
    query = select(*columns, number).where(*conditions(wanted, table))
    known: dict[str, Any] = {"rollup": not events}
    if not events:
        known |= {"kind": EventKind.DECISION, "operator": "", "outcome": "", "decrypted": False}
    return [
        Counted(row[0], Sort(**dict(zip(names, row[1:-1], strict=True)), **known), int(row[-1]))
        for row in connection.execute(query.group_by(*columns))
    ]


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
    numbers: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    values_of = _values_of(facet)
    for _, sort, number in found:
        for value in values_of(sort):
            numbers[sort.rollup][value] += number
    events, rollups = numbers
    result = [Count(value, events[value], rollups[value]) for value in events | rollups]
    return sorted(result, key=lambda count: (-count.total, count.value))


def _values_of(facet: Facet) -> Callable[[Sort], Sequence[str]]:
    if facet is Facet.CONTROL:
        return lambda sort: split_control(sort.control) or ("",)
    place = Sort._fields.index(facet.value)
    return lambda sort: (str(sort[place]),)
