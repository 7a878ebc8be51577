"""A copy of a database in memory, for files that others may write into while they are read.

The reader maps a file into memory. Whoever overwrites that file or cuts it short, instead of
renaming another one over it, changes what is read, or ends the process: a page that is gone is
SIGBUS. So a file that is not ours is copied into memory that nothing can change any more.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

import maxminddb

if TYPE_CHECKING:
    from pathlib import Path

    from maxminddb.reader import Reader

MOST_BYTES: Final = 2 * 1024**3
"""More than any database that is sold; so much memory would be missed elsewhere."""

_CHUNK: Final = 1024 * 1024
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def open_copy(path: Path) -> Reader:
    """Open a copy of the database at `path`; it takes as much memory as the file is long.

    Raises OSError, InvalidDatabaseError; ValueError for a file that is too long, or is written to
    meanwhile.
    """
    handle = os.memfd_create("sovproxy-mmdb", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _copy(path, handle)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
        return maxminddb.open_database(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)  # what is mapped stays


def _copy(path: Path, handle: int) -> None:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        if before.st_size > MOST_BYTES:
            raise ValueError(f"it has {before.st_size} bytes; at most {MOST_BYTES} are read")
        while chunk := file.read(_CHUNK):
            os.write(handle, chunk)
        after = os.fstat(file.fileno())
    copied = os.lseek(handle, 0, os.SEEK_CUR)
    if after.st_mtime_ns != before.st_mtime_ns or copied != after.st_size:
        raise ValueError("it is being written to; it is read once that has ended")
