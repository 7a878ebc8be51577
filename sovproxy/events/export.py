"""Events for other programs: CSV, JSON Lines, ECS and OCSF, one line each, and Parquet.

Nothing in a cell of the CSV is taken for a formula by a spreadsheet, and no line holds a character
that a terminal could obey.
"""

from __future__ import annotations

import csv
import io
import json
from enum import StrEnum
from itertools import batched, chain
from typing import TYPE_CHECKING, Final

from sovproxy.events.event import Event
from sovproxy.events.export_ecs import ecs_document
from sovproxy.events.export_ocsf import ocsf_document
from sovproxy.events.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

COLUMNS: Final = tuple(Event.model_fields)

_LINES: Final = 500

# What makes a spreadsheet read a cell as a formula, by OWASP's page on CSV injection; full-width
# forms are taken for the plain ones by some.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class ExportFormat(StrEnum):
    """How events are exported."""

    CSV = "csv"
    JSONL = "jsonl"
    ECS = "ecs"
    OCSF = "ocsf"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        """The media type of the whole. Parquet's is registered with IANA."""
        return _MEDIA_TYPES.get(self, "application/x-ndjson")

    @property
    def extension(self) -> str:
        """How a file of it ends."""
        return f"{self.value}.jsonl" if self in {self.ECS, self.OCSF} else self.value

    @property
    def is_text(self) -> bool:
        """Whether a terminal can show it."""
        return self is not self.PARQUET


_MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}


def export_parts(form: ExportFormat, events: Iterable[Event]) -> Iterator[bytes]:
    """Write events part by part; together the parts are the whole file.

    At most one row group of a Parquet, or 500 lines of text, are held in memory. Whatever `events`
    raises passes through.
    """
    if form is ExportFormat.PARQUET:
        # Arrow takes long to import, and few exports are Parquet.
        from sovproxy.events.export_parquet import parquet_parts  # noqa: PLC0415

        yield from parquet_parts(events)
        return
    for lines in batched(export_lines(form, events), _LINES):
        yield "".join(lines).encode()


def export_lines(form: ExportFormat, events: Iterable[Event]) -> Iterator[str]:
    """Write events as lines of text, each with its end; a CSV begins with its columns' names.

    Raises KeyError for a form that has no lines.
    """
    lines = map(_WRITERS[form], events)
    return chain([csv_line(COLUMNS)], lines) if form is ExportFormat.CSV else lines


def csv_line(cells: Iterable[object]) -> str:
    """Write one line (RFC 4180), defusing what a spreadsheet would run."""
    line = io.StringIO()
    csv.writer(line).writerow([csv_cell(cell) for cell in cells])
    return line.getvalue()


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like one gets a `'`."""
    text = visible(str(value))
    return f"'{text}" if isinstance(value, str) and text.lstrip().startswith(_FORMULA) else text


def event_json(event: Event) -> str:
    """An event as a JSON object, ASCII only: what a terminal could obey is written as an escape."""
    text = event.model_dump_json()
    return text if text.isascii() else json.dumps(json.loads(text), separators=(",", ":"))


def _csv(event: Event) -> str:
    values = event.__dict__ | {
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "control": ",".join(event.control),
    }
    return csv_line(values[name] for name in COLUMNS)


def document_json(document: Mapping[str, object]) -> str:
    """A document as a JSON object, ASCII only."""
    return json.dumps(document, separators=(",", ":"))


WRITERS: Final[Mapping[ExportFormat, Callable[[Event], str]]] = {
    ExportFormat.JSONL: event_json,
    ExportFormat.ECS: lambda event: document_json(ecs_document(event)),
    ExportFormat.OCSF: lambda event: document_json(ocsf_document(event)),
}
"""How an event is written as one JSON object, without an end of line."""


def _with_end(write: Callable[[Event], str]) -> Callable[[Event], str]:
    return lambda event: write(event) + "\n"


_WRITERS: Final = {form: _with_end(write) for form, write in WRITERS.items()} | {
    ExportFormat.CSV: _csv
}
