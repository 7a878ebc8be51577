"""The spool's writer: what was appended is on disk when `append` returns, whatever happens then.

One thread writes; callers that wait at the same moment share one write and one fdatasync. The
writer never goes on in a segment that another process left behind, so a torn line is always the
last one of its segment.

The spool is bounded: when it grows over `max_bytes`, the oldest rollups go first, then the oldest
events; what has not changed for `max_age_seconds` goes too. Dropped records are counted and logged.

When the disk is full, events take the room that is reserved for that, then that of the oldest
rollups. Rollups wait in memory until the reserve is whole again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.events.files import PRIVATE_FILE, make_private_folder, sync_folder, write_all
from sovproxy.events.positions import load_positions
from sovproxy.events.reserve import Reserve, is_full
from sovproxy.events.segments import (
    Position,
    Segment,
    Stream,
    count_lines,
    encode,
    list_segments,
    segment_path,
)
from sovproxy.events.steady import STEADY_SECONDS, SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024
MAX_WAITING = 20_000


class SpoolUnwritable(SovproxyError):
    """A record could not be made durable. It was not kept; the caller must not answer as if."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds of a spool. `max_bytes` covers both streams and is kept to within two segments.

    Nothing goes for its age before the clock has been steady for `steady_seconds`.
    `reserve_bytes` are kept beside them for when the disk is full: some 6,000 events.
    """

    max_bytes: int = 512 * MEBIBYTE
    max_age_seconds: float = 30 * 86400
    segment_bytes: int = 4 * MEBIBYTE
    reserve_bytes: int = 4 * MEBIBYTE
    steady_seconds: float = STEADY_SECONDS


@dataclass(slots=True)
class SpoolCounters:
    """What happened since the spool was opened, in records."""

    appended: int = 0
    failed: int = 0
    dropped_events: int = 0
    dropped_rollups: int = 0
    full: int = 0
    """How often the disk was found full."""


@dataclass(slots=True)
class _Waiting:
    stream: Stream
    line: bytes
    future: Future[None]


class _SegmentWriter:
    """Appends to the newest segment of one stream; opened lazily, given up after any error."""

    def __init__(self, folder: Path, stream: Stream, segment_bytes: int) -> None:
        self._folder = folder
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._handle = -1
        self._path = folder
        self._size = 0

    def write(self, data: bytes) -> bool:
        """Make `data` durable. True if a new segment was begun. Raises OSError."""
        begun = self._handle < 0
        if begun:
            self._begin()
        try:
            write_all(self._handle, data)
            os.fdatasync(self._handle)
        except OSError:
            self._give_up()
            raise
        self._size += len(data)
        if self._size >= self._segment_bytes:
            self.close()
        return begun

    def close(self) -> None:
        """Finish the segment; the next write begins another."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _begin(self) -> None:
        existing = list_segments(self._folder, self._stream)
        done = load_positions(self._folder).get(self._stream, Position())
        number = max(existing[-1].number if existing else 0, done.segment) + 1
        self._path = segment_path(self._folder, self._stream, number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self._path, flags, PRIVATE_FILE)
        self._size = 0
        try:
            sync_folder(self._folder)
        except OSError:
            self.close()
            raise

    def _give_up(self) -> None:
        """Take back what was half written, as far as the disk still lets us."""
        try:
            os.ftruncate(self._handle, self._size)
            if not self._size:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("spool: a half-written record stays in %s: %s", self._path, error)
        self.close()


class Spool:
    """Appends records to the spool in `folder`. One writer per folder; the reader may be elsewhere.

    Raises SpoolUnwritable when another process writes there, or the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        limits: SpoolLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.limits = limits or SpoolLimits()
        self.counters = SpoolCounters()
        self._clock = clock
        steady = self.limits.steady_seconds
        self._steady = SteadyClock(clock, believed=False, steady_seconds=steady)
        self._lock_handle = _lock(folder)
        self._reserve = Reserve(folder, self.limits.reserve_bytes)
        self._reserve.keep()
        self._writers = {
            stream: _SegmentWriter(folder, stream, self.limits.segment_bytes) for stream in Stream
        }
        self._waiting: list[_Waiting] = []
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sovproxy-spool", daemon=True)
        self._thread.start()

    def submit(self, stream: Stream, record: bytes) -> Future[None]:
        """Hand over a record; the future is done when it is durable, or has SpoolUnwritable.

        Raises SpoolUnwritable at once when the spool is closed or 20,000 records wait already.
        """
        waiting = _Waiting(stream, encode(record), Future())
        with self._wake:
            if self._closing or len(self._waiting) >= MAX_WAITING:
                self.counters.failed += 1
                reason = "is closed" if self._closing else "cannot keep up with the writers"
                raise SpoolUnwritable(f"the spool {self.folder} {reason}")
            self._waiting.append(waiting)
            self._wake.notify()
        return waiting.future

    def append(self, stream: Stream, record: bytes) -> None:
        """Append a record and return when it is durable. Raises SpoolUnwritable."""
        self.submit(stream, record).result()

    def close(self) -> None:
        """Write what waits, then stop. Safe to call twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        if self._lock_handle >= 0:
            os.close(self._lock_handle)
            self._lock_handle = -1

    def _run(self) -> None:
        while waiting := self._take():
            for stream in Stream:
                self._commit(stream, [item for item in waiting if item.stream is stream])
        for writer in self._writers.values():
            writer.close()

    def _take(self) -> list[_Waiting]:
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            taken, self._waiting = self._waiting, []
        return taken

    def _commit(self, stream: Stream, waiting: list[_Waiting]) -> None:
        if not waiting:
            return
        wanted = [item.future for item in waiting if item.future.set_running_or_notify_cancel()]
        try:
            begun = self._write(stream, b"".join(item.line for item in waiting))
        except Exception as error:  # noqa: BLE001  # a caller must never wait for ever
            self.counters.failed += len(waiting)
            problem = f"the spool {self.folder} cannot be written: {error}"
            for future in wanted:
                future.set_exception(SpoolUnwritable(problem))
            return
        self.counters.appended += len(waiting)
        for future in wanted:
            future.set_result(None)
        if begun:
            self._try_to_enforce_limits()

    def _write(self, stream: Stream, data: bytes) -> bool:
        """Make `data` durable, if need be in the reserved room. Raises OSError."""
        if stream is Stream.ROLLUPS and not self._reserve.is_whole:
            raise OSError("what room is left is for events; rollups wait")
        while True:
            try:
                return self._writers[stream].write(data)
            except OSError as error:
                if stream is Stream.ROLLUPS or not is_full(error) or not self._make_room():
                    raise

    def _make_room(self) -> bool:
        """Give up the reserve, or else the oldest rollups; False if nothing is left of both.

        Raises OSError.
        """
        self.counters.full += 1
        if self._reserve.release():
            return True
        rollups = list_segments(self.folder, Stream.ROLLUPS)
        for item in rollups[:-1][:1]:
            self._drop(item)
        return len(rollups) > 1

    def _try_to_enforce_limits(self) -> None:
        try:
            self.enforce_limits()
        except OSError as error:
            log.warning("spool: the limits of %s cannot be enforced: %s", self.folder, error)

    def enforce_limits(self) -> None:
        """Drop what is too old, then the oldest rollups and events until the size fits.

        The newest segment of a stream always stays. Room is reserved again, if it was needed and
        the disk has it now. Raises OSError.
        """
        self._reserve.keep()
        rollups = list_segments(self.folder, Stream.ROLLUPS)
        events = list_segments(self.folder, Stream.EVENTS)
        total = sum(item.size for item in (*rollups, *events))
        believed = self._steady.is_steady()
        oldest_wanted = self._clock() - self.limits.max_age_seconds if believed else 0.0
        for item in (*rollups[:-1], *events[:-1]):
            if item.changed < oldest_wanted or total > self.limits.max_bytes:
                self._drop(item)
                total -= item.size

    def _drop(self, item: Segment) -> None:
        lost = _undelivered(item, load_positions(self.folder).get(item.stream, Position()))
        item.path.unlink(missing_ok=True)
        if item.stream is Stream.EVENTS:
            self.counters.dropped_events += lost
        else:
            self.counters.dropped_rollups += lost
        if lost:
            log.warning("spool: over its limits, %d undelivered %s dropped", lost, item.stream)


def _undelivered(item: Segment, done: Position) -> int:
    if item.number < done.segment:
        return 0
    return count_lines(item, done.offset if item.number == done.segment else 0)


def _lock(folder: Path) -> int:
    try:
        make_private_folder(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise SpoolUnwritable(f"the spool {folder} cannot be made: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        message = f"the spool {folder} is written by another process; one node, one data directory"
        raise SpoolUnwritable(message) from error
    return handle
