"""Events as they were stored, made from rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Event, EventKind, Outcome, Transport
from sovproxy.store.batches import DETAIL
from sovproxy.store.times import from_microseconds
from sovproxy.store.words import KINDS, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from sovproxy.store.sorts import Snapshot, Sort


def events_from_rows(
    connection: Connection, sorts: Snapshot, rows: Sequence[Row[Any]]
) -> list[Event]:
    """Make the events of rows, in their order; they were checked when they were stored."""
    wanted = {kind: {getattr(row, kind) for row in rows} - {0} for kind in KINDS}
    texts = texts_of(connection, wanted)
    text_of: Callable[[str, int], str] = lambda kind, number: texts.get((kind, number), "")  # noqa: E731  # short
    return [_event_from_row(row, sorts.sorts[row.sort], text_of) for row in rows]


def _event_from_row(row: Row[Any], sort: Sort | None, text_of: Callable[[str, int], str]) -> Event:
    assert sort is not None  # noqa: S101  # rows of `sort` are never deleted
    detail = dict(zip(DETAIL, json.loads(text_of("detail", row.detail)), strict=True))
    fields = sort._asdict()
    del fields["rollup"]
    return Event.model_construct(
        id=row.id,
        time=from_microseconds(row.time),
        client=text_of("client", row.client),
        host=text_of("host", row.host),
        address=text_of("address", row.address),
        port=row.port,
        **fields
        | {
            "control": split_control(sort.control),
            "kind": EventKind(sort.kind),
            "action": Action(sort.action),
            "standing": Standing(sort.standing),
            "outcome": Outcome(sort.outcome),
            "decrypted": bool(sort.decrypted),
        },
        **detail | {"transport": Transport(detail["transport"])},
    )


def split_control(text: str) -> tuple[str, ...]:
    """The countries of a `control` text."""
    return tuple(text.split(",")) if text else ()
