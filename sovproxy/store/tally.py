"""Counts that are kept while records arrive: by hour, by day, and what was seen when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, literal_column, or_

from sovproxy.store.bulk import execute_many, insert_for
from sovproxy.store.tables import SEEN, TALLIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

HOUR: Final = 3600
DAY: Final = 86_400
SECOND: Final = 1_000_000

type Numbers = Mapping[tuple[int, int], int]
type Seen = Mapping[tuple[str, str], tuple[int, int]]


def add_numbers(connection: Connection, numbers: Numbers) -> None:
    """Add to the tallies: numbers by the hour's start (Unix µs) and the sort's id."""
    days: Counter[tuple[int, int]] = Counter()
    for (start, sort), number in numbers.items():
        days[start - start % (DAY * SECOND), sort] += number
    rows = [*_rows(HOUR, numbers), *_rows(DAY, days)]
    if not rows:
        return
    statement = insert_for(connection, TALLIES)
    total = TALLIES.c.number + statement.excluded.number
    keys = ["seconds", "start", "sort"]
    adding = statement.on_conflict_do_update(index_elements=keys, set_={"number": total})
    execute_many(connection, adding, rows)


def add_seen(connection: Connection, seen: Seen) -> None:
    """Note the first and last time (Unix µs) of what was seen, by kind and value.

    A host's last time is put forward by the hour only, to write less.
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
    execute_many(connection, noting, rows)


def span_of(times: Iterable[tuple[str, str, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Join the times of each kind and value to the first and last; empty values are left out."""
    result: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, value, time in times:
        if value:
            first, last = result.get((kind, value), (time, time))
            result[kind, value] = (min(first, time), max(last, time))
    return result


def _rows(seconds: int, numbers: Numbers) -> list[dict[str, int]]:
    return [
        {"seconds": seconds, "start": start, "sort": sort, "number": number}
        for (start, sort), number in numbers.items()
    ]
