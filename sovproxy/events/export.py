"""Events for other programs: CSV, JSON Lines, ECS and OCSF, one line each.

Nothing in a cell of the CSV is taken for a formula by a spreadsheet, and no line holds a character
that a terminal could obey.
"""

from __future__ import annotations

import csv
import io
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sovproxy.events.event import Event
from sovproxy.events.export_ecs import ecs_document
from sovproxy.events.export_ocsf import ocsf_document
from sovproxy.events.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

COLUMNS: Final = tuple(Event.model_fields)

# What makes a spreadsheet read a cell as a formula, by OWASP's page on CSV injection; full-width
# forms are taken for the plain ones by some.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class ExportFormat(StrEnum):
    """How events are exported."""

    CSV = "csv"
    JSONL = "jsonl"
    ECS = "ecs"
    OCSF = "ocsf"

    @property
    def media_type(self) -> str:
        """The media type of the whole."""
        return "text/csv; charset=utf-8; header=present" if self is CSV else "application/x-ndjson"

    @property
    def extension(self) -> str:
        """How a file of it ends."""
        return "csv" if self is CSV else f"{'' if self is JSONL else self.value + '.'}jsonl"


CSV, JSONL = ExportFormat.CSV, ExportFormat.JSONL


def export_lines(form: ExportFormat, events: Iterable[Event]) -> Iterator[str]:
    """Write events as lines, each with its end; a CSV begins with the names of its columns."""
    if form is CSV:
        yield csv_line(COLUMNS)
    write = _WRITERS[form]
    for event in events:
        yield write(event)


def csv_line(cells: Iterable[object]) -> str:
    """Write one line (RFC 4180), defusing what a spreadsheet would run."""
    line = io.StringIO()
    csv.writer(line).writerow([csv_cell(cell) for cell in cells])
    return line.getvalue()


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like one gets a `'`."""
    text = visible(str(value))
    return f"'{text}" if isinstance(value, str) and text.lstrip().startswith(_FORMULA) else text


def _csv(event: Event) -> str:
    values = event.model_dump(mode="json") | {"control": ",".join(event.control)}
    return csv_line(values[name] for name in COLUMNS)


def _json(document: Mapping[str, object]) -> str:
    """ASCII only: what a terminal could obey is written as an escape."""
    return json.dumps(document, separators=(",", ":")) + "\n"


_WRITERS: Final[Mapping[ExportFormat, Callable[[Event], str]]] = {
    ExportFormat.CSV: _csv,
    ExportFormat.JSONL: lambda event: _json(event.model_dump(mode="json")),
    ExportFormat.ECS: lambda event: _json(ecs_document(event)),
    ExportFormat.OCSF: lambda event: _json(ocsf_document(event)),
}
