"""What waits in a spool to be delivered: how much, and since when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from sovproxy.events.positions import load_positions
from sovproxy.events.segments import Limits, Position, Stream, count_lines, list_segments, scan
from sovproxy.fleet.messages import SpoolReport

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.events.segments import Segment

MOST_COUNTED: Final = 16 * 1024 * 1024
"""Bytes that are read to count records; over it the rest is estimated."""

_TIMES: Final = {Stream.EVENTS: "time", Stream.ROLLUPS: "start"}


def backlog_of(spool: Path) -> SpoolReport:
    """Report what is not delivered yet. Raises OSError."""
    positions = load_positions(spool)
    sizes, records, counted, oldest = 0, 0, 0, []
    for stream in Stream:
        start = positions.get(stream, Position())
        waiting = [(one, _offset(one, start)) for one in list_segments(spool, stream)]
        for segment, offset in waiting:
            sizes += max(0, segment.size - offset)
            if counted < MOST_COUNTED and segment.size > offset:
                records += count_lines(segment, offset)
                counted += segment.size - offset
        oldest.append(_first_time(spool, stream, start))
    times = [time for time in oldest if time]
    estimated = records * sizes // counted if counted else 0
    return SpoolReport(records=estimated, bytes=sizes, oldest=min(times, default=None))


def _offset(segment: Segment, start: Position) -> int:
    if segment.number < start.segment:
        return segment.size
    return start.offset if segment.number == start.segment else 0


def _first_time(spool: Path, stream: Stream, start: Position) -> datetime | None:
    found = scan(spool, stream, start, Limits(records=1)).records
    try:
        return datetime.fromisoformat(from_json(found[0])[_TIMES[stream]]) if found else None
    except (ValueError, KeyError, TypeError):
        return None
