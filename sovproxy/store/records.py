"""Events and rollups as rows, in and out. An id is stored once, however often it arrives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Event, EventKind, Outcome, Transport
from sovproxy.store.bulk import execute_many, insert_for
from sovproxy.store.sorts import sort_of
from sovproxy.store.tables import EVENTS, ROLLUPS
from sovproxy.store.tally import HOUR, SECOND, add_numbers, add_seen, span_of
from sovproxy.store.times import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row, Table

    from sovproxy.events.event import Rollup
    from sovproxy.store.database import Store
    from sovproxy.store.sorts import SortBook


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records were new, and how many were there already."""

    accepted: int
    duplicates: int


def insert_records(store: Store, events: Sequence[Event], rollups: Sequence[Rollup]) -> Stored:
    """Store and count what is not stored yet, in one transaction. Raises StoreUnavailable."""
    with store.writing() as connection:
        store.sorts.refresh(connection)
        kept = _keep(connection, store.sorts, EVENTS, events, _event_values)
        counted = _keep(connection, store.sorts, ROLLUPS, rollups, _rollup_values)
    accepted = kept + counted
    return Stored(accepted, len(events) + len(rollups) - accepted)


def _keep[Record: (Event, Rollup)](
    connection: Connection,
    book: SortBook,
    table: Table,
    records: Sequence[Record],
    values_of: Callable[[Record], dict[str, Any]],
) -> int:
    """Store the records that are new, count them, and say how many they are."""
    if not records:
        return 0
    sorts = [sort_of(record) for record in records]
    ids = book.ids(connection, sorts)
    rows = [
        values_of(record) | {"sort": ids[sort]} for record, sort in zip(records, sorts, strict=True)
    ]
    last = connection.scalar(select(func.max(table.c.seq))) or 0
    statement = insert_for(connection, table).on_conflict_do_nothing(index_elements=["id"])
    accepted = execute_many(connection, statement, rows)
    if accepted < len(rows):
        rows = _new_rows(connection, table, last, rows)
    _count(connection, table, rows)
    return accepted


def _new_rows(
    connection: Connection, table: Table, last: int, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Of what was to be stored, what was: ids that came after `last`, each once."""
    arrived = connection.execute(select(table.c.id).where(table.c.seq > last)).scalars().all()
    new = set(arrived)
    return list({row["id"]: row for row in rows if row["id"] in new}.values())


def _count(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    events = table is EVENTS
    time = "time" if events else "start"
    hour = HOUR * SECOND
    numbers: Counter[tuple[int, int]] = Counter()
    for row in rows:
        numbers[row[time] - row[time] % hour, row["sort"]] += 1 if events else row["count"]
    add_numbers(connection, numbers)
    seen = [("service", row["service"], row[time]) for row in rows]
    seen += [("asn", str(row["asn"] or ""), row[time]) for row in rows]
    if events:
        seen += [("host", row["host"], row[time]) for row in rows]
    add_seen(connection, span_of(seen))


def _event_values(event: Event) -> dict[str, Any]:
    return event.__dict__ | {
        "time": microseconds(event.time),
        "control": ",".join(event.control),
    }


def _rollup_values(rollup: Rollup) -> dict[str, Any]:
    return rollup.__dict__ | {
        "start": microseconds(rollup.start),
        "control": ",".join(rollup.control),
    }


def event_from_row(row: Row[Any]) -> Event:
    """Make the event of a row; it was checked when it was stored."""
    values = row._asdict()
    del values["seq"], values["sort"]
    return Event.model_construct(
        **values
        | {
            "time": from_microseconds(values["time"]),
            "control": split_control(values["control"]),
            "kind": EventKind(values["kind"]),
            "action": Action(values["action"]),
            "standing": Standing(values["standing"]),
            "outcome": Outcome(values["outcome"]),
            "transport": Transport(values["transport"]),
        }
    )


def split_control(text: str) -> tuple[str, ...]:
    """The countries of a `control` column."""
    return tuple(text.split(",")) if text else ()
