"""What connections are counted as: everything that a filter may name but host, client and time."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from sqlalchemy import select

from sovproxy.store.bulk import insert_rows, take_numbers
from sovproxy.store.tables import SORTS
from sovproxy.store.words import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from sovproxy.store.filters import Filter
    from sovproxy.store.packing import Numbers


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


type SortKey = tuple[Any, ...]
"""The fields of a sort as records have them: its control as a tuple."""

PLACES: Final = {name: place for place, name in enumerate(Sort._fields)}


class Column:
    """One field of all sorts as numbers: the same value has the same number everywhere."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._codes: dict[Any, int] = {}
        self.numbers: Numbers = np.zeros(1, np.int32)

    def extend(self, added: list[tuple[int, Any]], size: int) -> None:
        """Take in the values of new sorts; `size` is the greatest id of a sort, plus 1."""
        numbers = np.zeros(size, np.int32)
        numbers[: len(self.numbers)] = self.numbers
        for number, value in added:
            code = self._codes.setdefault(value, len(self.values))
            if code == len(self.values):
                self.values.append(value)
            numbers[number] = code
        self.numbers = numbers


class Snapshot(NamedTuple):
    """All sorts of one moment, by id, and their fields as columns. Index 0 stands for no sort."""

    sorts: list[Sort | None]
    columns: tuple[tuple[list[Any], Numbers], ...]
    exists: Numbers

    def column(self, name: str) -> tuple[list[Any], Numbers]:
        """The values of a field, and for each sort the index of its value."""
        return self.columns[PLACES[name]]

    def is_one_of(self, name: str, values: Iterable[Any]) -> Numbers:
        """For each sort, whether its field has one of these values."""
        wanted = frozenset(values)
        return self._test(name, [value in wanted for value in self.column(name)[0]])

    def has_control(self, values: Iterable[str | int]) -> Numbers:
        """For each sort, whether it is controlled from one of these countries."""
        wanted = frozenset(values)
        known = self.column("control")[0]
        return self._test("control", [not wanted.isdisjoint(text.split(",")) for text in known])

    def fitting(self, wanted: Filter) -> Numbers:
        """For each sort, whether connections of it fit the filter, as far as a sort can tell."""
        fits = self.exists.copy()
        if wanted.fits_no_rollup:
            fits &= ~self.is_one_of("rollup", [True])
        for name, values in wanted.sort_fields():
            if values:
                fits &= self.is_one_of(name, values)
        if wanted.control:
            fits &= self.has_control(wanted.control)
        for name, value in wanted.excluded_values:
            has = self.has_control if name == "control" else partial(self.is_one_of, name)
            fits &= ~has([value])
        return fits

    def _test(self, name: str, tests: list[bool]) -> Numbers:
        numbers = self.column(name)[1]
        allowed = np.array(tests, np.bool_)
        return allowed[numbers] if tests else np.zeros(len(numbers), np.bool_)


class SortBook:
    """The sorts, remembered: rows of `sort` are never changed and never deleted.

    Only what was committed is remembered, so a transaction that is rolled back leaves nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[Sort, int] = {}
        self._keys: dict[SortKey, int] = {}
        self._columns = tuple(Column() for _ in Sort._fields)
        self._snapshot = self._draw([None])

    def snapshot(self, connection: Connection) -> Snapshot:
        """All sorts, after reading what is new."""
        self.refresh(connection)
        return self._snapshot

    def refresh(self, connection: Connection) -> None:
        """Read what is new, at the beginning of a transaction."""
        # What the snapshot has counts, not what another thread is about to put into the next one.
        known = len(self._snapshot.sorts)
        query = select(SORTS.c.id, SORTS.c.sort).where(SORTS.c.id >= known)
        rows = connection.execute(query.order_by(SORTS.c.id)).all()
        if not rows:
            return
        with self._lock:
            known = len(self._snapshot.sorts)
            self._add(
                [(number, Sort(*json.loads(text))) for number, text in rows if number >= known]
            )

    def _add(self, new: list[tuple[int, Sort]]) -> None:
        if not new:
            return
        size = new[-1][0] + 1
        sorts = [*self._snapshot.sorts, *[None] * (size - len(self._snapshot.sorts))]
        for number, sort in new:
            self._ids[sort], sorts[number] = number, sort
        for place, column in enumerate(self._columns):
            column.extend([(number, sort[place]) for number, sort in new], size)
        self._snapshot = self._draw(sorts)

    def _draw(self, sorts: list[Sort | None]) -> Snapshot:
        exists: Numbers = np.array([sort is not None for sort in sorts], np.bool_)
        columns = tuple((list(column.values), column.numbers) for column in self._columns)
        return Snapshot(sorts, columns, exists)

    def ids(self, connection: Connection, wanted: Sequence[SortKey]) -> list[int]:
        """Give the id of each sort, and write those that are new. The caller has refreshed."""
        known = self._keys
        found = [known.get(key, 0) for key in wanted]
        unknown = {
            key: _sort_of(key) for key, number in zip(wanted, found, strict=True) if not number
        }
        if not unknown:
            return found
        missing = {sort for sort in unknown.values() if sort not in self._ids}
        written = _write(connection, list(missing)) if missing else {}
        with self._lock:
            known |= {key: self._ids[sort] for key, sort in unknown.items() if sort in self._ids}
        both = {key: written.get(sort) or self._ids[sort] for key, sort in unknown.items()}
        return [number or both[key] for key, number in zip(wanted, found, strict=True)]


def _sort_of(key: SortKey) -> Sort:
    control = PLACES["control"]
    return Sort._make([*key[:control], ",".join(key[control]), *key[control + 1 :]])


def _write(connection: Connection, sorts: list[Sort]) -> dict[Sort, int]:
    """Nobody else writes sorts now, and all that were written are known: these are new."""
    first = take_numbers(connection, "sort", len(sorts))
    texts = [sort.to_text() for sort in sorts]
    rows = [
        (number, digest_of("sort", text), text) for number, text in enumerate(texts, start=first)
    ]
    insert_rows(connection, SORTS, rows)
    return {sort: number for number, sort in enumerate(sorts, start=first)}
