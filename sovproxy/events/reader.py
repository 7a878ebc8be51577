"""The spool's reader: batches of records in order, and a durable note of how far it got."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy.events.files import make_private_folder, write_all
from sovproxy.events.positions import load_positions, save_positions
from sovproxy.events.reserve import is_full
from sovproxy.events.segments import (
    Limits,
    Position,
    Scan,
    Segment,
    Stream,
    list_segments,
    scan,
    segment_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

log = logging.getLogger(__name__)

MAX_SET_ASIDE = 16
MAX_REFUSED_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class ReaderCounters:
    """What was wrong with what was read, since the reader was made."""

    damaged: int = 0
    torn: int = 0
    segments_set_aside: int = 0
    records_set_aside: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to deliver together, and where each stream stands once they are delivered."""

    events: tuple[bytes, ...] = ()
    rollups: tuple[bytes, ...] = ()
    positions: dict[Stream, Position] = field(default_factory=dict)
    damaged: int = 0
    torn: int = 0

    def __len__(self) -> int:
        return len(self.events) + len(self.rollups)


class SpoolReader:
    """Reads the spool in `folder`, events before rollups. One reader per folder."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self._folder = folder
        self._positions = load_positions(folder)
        self._noted, self._full = True, False
        self._damaged: dict[Stream, set[int]] = {stream: set() for stream in Stream}
        self.counters = ReaderCounters()

    def next_batch(self, limits: Limits | None = None) -> Batch:
        """Read what comes after the last acknowledged position; empty if there is nothing.

        Without an acknowledgement the next call reads the same again. Raises OSError.
        """
        limits = limits or Limits()
        events = self._scan(Stream.EVENTS, limits)
        room = Limits(limits.records - len(events.records), limits.size - events.size)
        if room.records <= 0 or room.size <= 0:
            return _batch({Stream.EVENTS: events})
        return _batch({Stream.EVENTS: events, Stream.ROLLUPS: self._scan(Stream.ROLLUPS, room)})

    def acknowledge(self, batch: Batch) -> None:
        """Note that `batch` is done with, and remove segments that are no longer needed.

        A full disk does not hold this up: segments go first then, and their room is there for the
        note. Should the node be killed in between, what was delivered of the segments that are left
        is delivered once more, and stored once. Raises OSError.
        """
        positions = self._positions | batch.positions
        if positions != self._positions:
            self._positions = positions
            self._noted = False
            self.counters.damaged += batch.damaged
            self.counters.torn += batch.torn
        noted = self._try_to_note()
        for stream in Stream:
            for item in list_segments(self._folder, stream)[:-1]:
                if self._is_done(item):
                    self._retire(item)
        if not noted:
            self._try_to_note()

    def _try_to_note(self) -> bool:
        """Put the positions on disk; False when it is full, for then they wait in memory."""
        if self._noted:
            return True
        try:
            save_positions(self._folder, self._positions)
        except OSError as error:
            if not is_full(error):
                raise
            if not self._full:
                log.warning("spool: how far it was delivered cannot be noted: %s", error)
            self._full = True
            return False
        self._noted, self._full = True, False
        return True

    def set_aside(self, records: Iterable[bytes]) -> None:
        """Keep records that the API refuses, in `refused.jsonl`, which holds 16 MiB at most.

        Raises OSError.
        """
        path = self._folder / "refused.jsonl"
        data = b"".join(record + b"\n" for record in records)
        with path.open("ab", buffering=0) as file:
            path.chmod(0o600)
            if file.tell() + len(data) > MAX_REFUSED_BYTES:
                log.error("spool: %s is full; %d bytes refused by the API dropped", path, len(data))
                return
            write_all(file.fileno(), data)
        self.counters.records_set_aside += data.count(b"\n")

    def _scan(self, stream: Stream, limits: Limits) -> Scan:
        result = scan(self._folder, stream, self._positions.get(stream, Position()), limits)
        for number in result.damaged_segments - self._damaged[stream]:
            path = segment_path(self._folder, stream, number)
            log.error("spool: %s is damaged; its other records are delivered", path)
        self._damaged[stream] |= result.damaged_segments
        return result

    def _is_done(self, item: Segment) -> bool:
        done = self._positions.get(item.stream, Position())
        return (item.number, item.size) <= (done.segment, done.offset)

    def _retire(self, item: Segment) -> None:
        if item.number not in self._damaged[item.stream]:
            item.path.unlink(missing_ok=True)
            return
        aside = self._folder / "damaged"
        make_private_folder(aside)
        item.path.replace(aside / item.path.name)
        self._damaged[item.stream].discard(item.number)
        self.counters.segments_set_aside += 1
        for old in sorted(aside.iterdir(), key=lambda path: path.name)[:-MAX_SET_ASIDE]:
            old.unlink(missing_ok=True)


def _batch(scans: dict[Stream, Scan]) -> Batch:
    return Batch(
        events=tuple(scans[Stream.EVENTS].records),
        rollups=tuple(scans[Stream.ROLLUPS].records) if Stream.ROLLUPS in scans else (),
        positions={stream: item.end for stream, item in scans.items()},
        damaged=sum(item.damaged for item in scans.values()),
        torn=sum(item.torn for item in scans.values()),
    )
