"""What connections are counted as: everything that a filter may name but host, client and time."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import insert, select

from sovproxy.events.event import Event, EventKind
from sovproxy.store.tables import SORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from sovproxy.events.event import Rollup
    from sovproxy.store.filters import Filter

_CHUNK: Final = 500


class Sort(NamedTuple):
    """What is counted together. A rollup is a decision without operator and outcome.

    `control` is joined by commas. New fields go to the end, with a default.
    """

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

    def to_text(self) -> str:
        """Write it as it is stored."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))


_CONTROL: Final = Sort._fields.index("control")


def sort_of(record: Event | Rollup) -> Sort:
    """Say what an event or a rollup is counted as."""
    event = record if isinstance(record, Event) else None
    return Sort(
        rollup=event is None,
        kind=event.kind if event else EventKind.DECISION,
        group=record.group,
        service=record.service,
        operator=event.operator if event else "",
        control=",".join(record.control),
        location=record.location,
        asn=record.asn,
        action=record.action,
        rule=record.rule,
        node=record.node,
        standing=record.standing,
        outcome=event.outcome if event else "",
        decrypted=event.decrypted if event else False,
    )


def fits(wanted: Filter) -> Callable[[Sort], bool]:
    """Make a test of whether connections of a sort fit the filter, as far as a sort can tell."""
    no_rollup, countries = wanted.fits_no_rollup, frozenset(wanted.control)
    excluded = [(Sort._fields.index(name), value) for name, value in wanted.excluded_values]
    fields = [
        (Sort._fields.index(name), frozenset(values))
        for name, values in wanted.sort_fields()
        if values
    ]

    def test(sort: Sort) -> bool:
        if no_rollup and sort.rollup:
            return False
        if countries and countries.isdisjoint(sort.control.split(",")):
            return False
        if any(_has(sort, *item) for item in excluded):
            return False
        return all(sort[place] in values for place, values in fields)

    return test


def _has(sort: Sort, place: int, value: str | int) -> bool:
    if place == _CONTROL:
        return value in sort.control.split(",")
    return bool(sort[place] == value)


class SortBook:
    """The ids of sorts, remembered: rows of `sort` are never changed and never deleted.

    Only what was committed is remembered, so a transaction that is rolled back leaves nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[Sort, int] = {}
        self._sorts: dict[int, Sort] = {}
        self._last = 0

    def refresh(self, connection: Connection) -> None:
        """Read what is new, at the beginning of a transaction."""
        query = select(SORTS.c.id, SORTS.c.sort).where(SORTS.c.id > self._last)
        rows = connection.execute(query.order_by(SORTS.c.id)).all()
        with self._lock:
            for number, text in rows:
                sort = Sort(*json.loads(text))
                self._ids[sort], self._sorts[number] = number, sort
                self._last = max(self._last, number)

    def fitting(self, connection: Connection, wanted: Filter) -> dict[int, Sort]:
        """Give the sorts that fit a filter."""
        self.refresh(connection)
        with self._lock:
            everything = dict(self._sorts)
        if not wanted.names_sorts and not wanted.fits_no_rollup:
            return everything
        test = fits(wanted)
        return {number: sort for number, sort in everything.items() if test(sort)}

    def ids(self, connection: Connection, wanted: Iterable[Sort]) -> dict[Sort, int]:
        """Give the id of each sort, and write those that are new. The caller has refreshed."""
        needed = set(wanted)
        known = {sort: self._ids[sort] for sort in needed if sort in self._ids}
        missing = [sort for sort in needed if sort not in known]
        return known | (_write(connection, missing) if missing else {})


def _write(connection: Connection, sorts: list[Sort]) -> dict[Sort, int]:
    texts = {sort.to_text(): sort for sort in sorts}
    statement = insert(SORTS).prefix_with("OR IGNORE", dialect="sqlite")
    rows = [{"sort": t, "kind": s.kind, "action": s.action} for t, s in texts.items()]
    connection.execute(statement, rows)
    result: dict[Sort, int] = {}
    wanted = list(texts)
    for begin in range(0, len(wanted), _CHUNK):
        chunk = wanted[begin : begin + _CHUNK]
        query = select(SORTS.c.id, SORTS.c.sort).where(SORTS.c.sort.in_(chunk))
        result |= {texts[text]: number for number, text in connection.execute(query)}
    return result
