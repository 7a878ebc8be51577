"""A file as a sink: JSON Lines, rotated by size and age, reopened when somebody moved it away."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sovproxy.events.files import PRIVATE_FILE, sync_folder, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.receivers import FileReceiver

_TORN: Final = 64 * 1024
_HOUR: Final = 3600.0


class FileInUse(OSError):
    """Another process writes to this file already."""


class FileSink:
    """The open file. Not for several threads."""

    settle_seconds: Final = 0.0

    def __init__(self, receiver: FileReceiver, *, alone: bool = True) -> None:
        """Open or make the file. `alone` keeps others out. Raises OSError, FileInUse."""
        self._receiver = receiver
        self._alone = alone
        self._sent = 0
        self._handle = _open(receiver.path, alone=alone)

    def send(self, data: bytes) -> None:
        """Write whole lines, on the disk when this returns if so wanted. Raises OSError."""
        self.check()
        if self._is_time_to_rotate(len(data)):
            self._rotate()
        before = os.fstat(self._handle).st_size
        try:
            write_all(self._handle, data)
            if self._receiver.fsync:
                os.fdatasync(self._handle)
        except OSError:
            with suppress(OSError):  # a full disk must leave no half line behind
                os.ftruncate(self._handle, before)
            raise
        self._sent += len(data)

    def sent(self) -> int:
        """How many bytes were written so far."""
        return self._sent

    def arrived(self) -> int:
        """The same: what was written is there."""
        return self._sent

    def check(self) -> None:
        """Reopen the file if it was moved away or deleted. Raises OSError, FileInUse."""
        here = os.fstat(self._handle)
        try:
            there = self._receiver.path.lstat()
            moved = (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)
        except FileNotFoundError:
            moved = True
        if moved:
            self._reopen()

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _reopen(self) -> None:
        handle = _open(self._receiver.path, alone=self._alone)
        os.close(self._handle)
        self._handle = handle

    def _is_time_to_rotate(self, more: int) -> bool:
        state, limits = os.fstat(self._handle), self._receiver
        if not state.st_size or not self._alone:
            return False
        if limits.max_bytes and state.st_size + more > limits.max_bytes:
            return True
        return _spans(limits.max_hours, state.st_mtime, time.time())

    def _rotate(self) -> None:
        path = self._receiver.path
        path.rename(_free_name(path))
        self._reopen()
        sync_folder(path.parent)
        for old in _rotated(path)[: -self._receiver.keep or None]:
            old.unlink(missing_ok=True)


def _open(path: Path, *, alone: bool) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, PRIVATE_FILE)
    try:
        _check_regular(handle, path)
        if alone:
            _lock(handle, path)
            _take_back_torn_line(handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _check_regular(handle: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(f"{path} is no regular file")


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FileInUse(f"another process writes to {path} already") from None


def _take_back_torn_line(handle: int) -> None:
    """Cut a line that a killed process left half written; its event is written once more."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, _TORN, max(0, size - _TORN))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(handle, size - len(tail) + tail.rfind(b"\n") + 1)


def _spans(hours: int, last: float, now: float) -> bool:
    """Whether a new span of so many hours has begun since 1970 after `last`: at 24, a new day.

    The clock and the file's time tell, so it holds across restarts too.
    """
    length = hours * _HOUR
    return bool(hours) and int(last // length) != int(now // length)


def _free_name(path: Path) -> Path:
    """`events-20261123T083000.123456.jsonl` beside `events.jsonl`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return path.with_name(f"{path.stem}-{stamp}{path.suffix}")


def _rotated(path: Path) -> list[Path]:
    """The rotated files of `path`, oldest first."""
    dated = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "." + "[0-9]" * 6
    return sorted(path.parent.glob(f"{_escaped(path.stem)}-{dated}{_escaped(path.suffix)}"))


def _escaped(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
