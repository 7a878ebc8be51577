"""Room on the disk that is kept for the hour in which the disk is full.

A file of a fixed size lies in the spool. When an event cannot be written because the disk is full,
the file is given up, and what it held is there for events. It is made again once there is room
enough that the disk does not come to its end because of it.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from typing import TYPE_CHECKING, Final

from sovproxy.events.files import PRIVATE_FILE

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME: Final = "reserve"
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a write says when there is no room: on the disk, or for this user."""


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room."""
    return error.errno in FULL


class Reserve:
    """The file in `folder`; `size` in bytes, 0 for none. Only the spool's writer has it."""

    def __init__(self, folder: Path, size: int) -> None:
        self._path = folder / FILE_NAME
        self._size = size
        self._lock = threading.Lock()
        self.is_whole = not size

    def keep(self) -> None:
        """Make the file where it is missing and there is room for twice its size; else later."""
        if self.is_whole:
            return
        with self._lock:
            try:
                self.is_whole = self._is_there() or self._make()
            except OSError as error:
                log.warning("spool: no room can be reserved at %s: %s", self._path, error)
                self._path.unlink(missing_ok=True)

    def release(self) -> bool:
        """Give the room up; False if there was none. Raises OSError."""
        with self._lock:
            if not self._size or not self._path.exists():
                return False
            self.is_whole = False
            self._path.unlink()
        log.error("the disk of %s is full: events take what was reserved for that", self._path)
        return True

    def _is_there(self) -> bool:
        """A file that was cut short by a kill holds blocks for what it has only."""
        try:
            return self._path.stat().st_blocks * 512 >= self._size
        except FileNotFoundError:
            return False

    def _make(self) -> bool:
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._size:
            return False
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self._path, flags, PRIVATE_FILE)
        try:
            os.posix_fallocate(handle, 0, self._size)
        finally:
            os.close(handle)
        return True
