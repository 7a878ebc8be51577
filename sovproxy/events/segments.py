"""The spool's files: segments of one record per line, each with its own checksum.

A line is eight hexadecimal digits of CRC-32, a space, and the record's JSON, which never contains a
line break. So a damaged line costs one record, and what follows it can still be read. A segment is
named after its stream and a number that only grows: `events-0000000000000007.seg`.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

MAX_RECORD_BYTES = 64 * 1024
_CHECKSUM_CHARACTERS = 8
_NAME = re.compile(r"(events|rollups)-([0-9]{16})\.seg")


class Stream(StrEnum):
    """Events and rollups are kept apart, so that rollups can be dropped first."""

    EVENTS = "events"
    ROLLUPS = "rollups"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a stream: segment number and byte offset. All before it is done with."""

    segment: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment file, as it was when the folder was listed. `changed` is in Unix seconds."""

    path: Path
    stream: Stream
    number: int
    size: int
    changed: float


@dataclass(slots=True)
class Scan:
    """What reading from a position gave: whole records, where to go on, and what was wrong."""

    records: list[bytes] = field(default_factory=list)
    size: int = 0
    end: Position = field(default_factory=Position)
    damaged: int = 0
    torn: int = 0
    damaged_segments: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read at once."""

    records: int = 2000
    size: int = 1024 * 1024

    def reached(self, result: Scan, more: int) -> bool:
        """Whether a line of `more` bytes does not fit any more."""
        count = len(result.records)
        return count >= self.records or (count > 0 and result.size + more > self.size)


def segment_path(folder: Path, stream: Stream, number: int) -> Path:
    """Where segment `number` of `stream` lies."""
    return folder / f"{stream}-{number:016d}.seg"


def list_segments(folder: Path, stream: Stream) -> list[Segment]:
    """List the segments of one stream, oldest first; other files are left alone."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and match[1] == stream:
                found.append(_segment(folder / entry.name, stream, int(match[2])))
    return sorted((item for item in found if item), key=lambda item: item.number)


def _segment(path: Path, stream: Stream, number: int) -> Segment | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Segment(path, stream, number, status.st_size, status.st_mtime)


def encode(record: bytes) -> bytes:
    """Make the line of one record. Raises ValueError if it is too long or has a line break."""
    if len(record) > MAX_RECORD_BYTES:
        message = f"a record of at most {MAX_RECORD_BYTES} bytes is wanted, got {len(record)}"
        raise ValueError(message)
    if b"\n" in record:
        raise ValueError("a record must be one line")
    return b"%08x %s\n" % (crc32(record), record)


def decode(line: bytes) -> bytes | None:
    """Give the record of one line (without its line break), or None if the line is damaged."""
    checksum, separator, record = line.partition(b" ")
    if len(checksum) != _CHECKSUM_CHARACTERS or not separator:
        return None
    return record if b"%08x" % crc32(record) == checksum else None


def scan(folder: Path, stream: Stream, start: Position, limits: Limits) -> Scan:
    """Read whole records from `start` on, as many as `limits` allow but at least one.

    A last line without its end is left for later in the newest segment, where it may still be
    growing; in an older one it was torn by a crash, before its writer was told that it is safe.
    """
    result = Scan(end=start)
    segments = [item for item in list_segments(folder, stream) if item.number >= start.segment]
    for item in segments:
        offset = start.offset if item.number == start.segment else 0
        with suppress(FileNotFoundError), item.path.open("rb") as file:
            file.seek(offset)
            if not _scan_lines(file, Position(item.number, offset), result, limits):
                break
            if item is not segments[-1]:
                _skip_torn_end(file, item.number, result)
    return result


def _scan_lines(file: BinaryIO, start: Position, result: Scan, limits: Limits) -> bool:
    """Read lines up to the segment's end (True) or up to the limits (False)."""
    offset = start.offset
    for line in file:
        if not line.endswith(b"\n"):
            file.seek(offset)
            return True
        if limits.reached(result, len(line)):
            return False
        _take_line(line[:-1], start.segment, result)
        offset += len(line)
        result.end = Position(start.segment, offset)
    return True


def _skip_torn_end(file: BinaryIO, number: int, result: Scan) -> None:
    rest = file.read()
    if rest:
        result.torn += 1
        result.end = Position(number, file.tell())


def _take_line(line: bytes, number: int, result: Scan) -> None:
    record = decode(line)
    if record is None:
        result.damaged += 1
        result.damaged_segments.add(number)
        return
    result.records.append(record)
    result.size += len(line)


def count_lines(item: Segment, offset: int = 0) -> int:
    """Count the records of a segment from `offset` on (0 if it is gone)."""
    try:
        with item.path.open("rb") as file:
            file.seek(offset)
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0
