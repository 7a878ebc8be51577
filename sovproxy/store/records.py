"""Events and rollups as rows, in and out. An id is stored once, however often it arrives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Event, EventKind, Outcome, Transport
from sovproxy.store.tables import EVENTS, ROLLUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row, Table

    from sovproxy.events.event import Rollup
    from sovproxy.store.database import Store

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records were new, and how many were there already."""

    accepted: int
    duplicates: int


def microseconds(time: datetime) -> int:
    """Unix microseconds of an aware time, without rounding."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The UTC time of Unix microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def insert_records(store: Store, events: Sequence[Event], rollups: Sequence[Rollup]) -> Stored:
    """Store what is not stored yet, all in one transaction. Raises StoreUnavailable."""
    with store.writing() as connection:
        accepted = _insert(connection, EVENTS, [_event_values(event) for event in events])
        accepted += _insert(connection, ROLLUPS, [_rollup_values(item) for item in rollups])
    return Stored(accepted, len(events) + len(rollups) - accepted)


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return connection.execute(
        insert(table).on_conflict_do_nothing(index_elements=["id"]), rows
    ).rowcount


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
    values.pop("seq")
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
