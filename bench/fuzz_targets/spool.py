"""Segments of the spool, and the note of how far it was read, as a damaged disk gives them back."""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from pathlib import Path

from sovproxy.events.positions import FILE_NAME, load_positions
from sovproxy.events.segments import (
    Limits,
    Position,
    Scan,
    Stream,
    decode,
    encode,
    scan,
    segment_path,
)

from .target import Target, require

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
_FOLDER = Path(tempfile.mkdtemp(prefix="sov-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
_ALL = Limits(100_000, 1 << 30)
_ONE = Limits(1, 1 << 30)
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
logging.getLogger("sovproxy.events.positions").setLevel(logging.CRITICAL)


def check(data: bytes) -> None:
    """Only whole records with their checksum come out, and no other line is counted for one."""
    for number in (1, 2):
        segment_path(_FOLDER, Stream.EVENTS, number).write_bytes(data)
    found = scan(_FOLDER, Stream.EVENTS, Position(), _ALL)
    lines = data.split(b"\n")
    good = [record for line in lines[:-1] if (record := decode(line)) is not None]
    require(found.records == good * 2, "exactly the whole records come out", data)
    require(found.damaged == 2 * (len(lines) - 1 - len(good)), "damage is counted", data)
    require(found.torn == bool(lines[-1]), "the torn end of an older segment is counted", data)
    for record in good:
        require(decode(encode(record).removesuffix(b"\n")) == record, "a record is kept", record)
    _check_steps(found)


def _check_steps(whole: Scan) -> None:
    """Reading one record at a time gives the same records, and comes to an end."""
    records: list[bytes] = []
    place = Position()
    for _ in range(len(whole.records) + 1):
        part = scan(_FOLDER, Stream.EVENTS, place, _ONE)
        require(part.end >= place, "reading goes forward", place, part.end)
        records += part.records
        place = part.end
    require(records == whole.records and place == whole.end, "steps do not matter", place)


def check_positions(data: bytes) -> None:
    """A note that cannot be understood counts as none; no place before the beginning comes out."""
    (_FOLDER / FILE_NAME).write_bytes(data)
    for stream, place in load_positions(_FOLDER).items():
        require(stream in Stream, "a stream of ours", stream)
        require(min(place.segment, place.offset) >= 0, "a place in it", place)


_GOOD = b"".join(map(encode, (b'{"a":1}', b"", b"x" * 300, '{"host":"bücher"}'.encode())))
_NOTES = (
    b'{"events": [7, 120], "rollups": [1, 0]}',
    b'{"events": [-1, 0]}',
    b"[]",
    b'{"x": [1, 2]}',
)
TARGETS = (
    Target("spool", check, (_GOOD, _GOOD[:-9], b"\n\n", b"00000000 \n"), 60, (b"00000000 ", b"\n")),
    Target("positions", check_positions, _NOTES, 30, (b'"events"', b'"rollups"', b"[", b"1e999")),
)
