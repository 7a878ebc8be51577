"""What this process may use of the machine: open files and memory."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
SHARE: Final = 0.75
"""Of what the control group or the machine has, when no limit is set."""

MOST_FILES: Final = 1_048_576
"""As many as are asked for where the hard limit is infinite."""

_STATM: Final = Path("/proc/self/statm")
_MACHINE: Final = Path("/proc/meminfo")
_OWN_GROUP: Final = Path("/proc/self/cgroup")
_GROUPS: Final = Path("/sys/fs/cgroup")


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; how many there may be now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != wanted:
        with suppress(ValueError, OSError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def resident_bytes() -> int:
    """Memory in use (Linux); 0 where that cannot be told."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def memory_ceiling(mib: int = 0) -> int:
    """The bytes that a limit of `mib` stands for; 0 is a share of what there is.

    Where that cannot be told either, there is no ceiling: 0.
    """
    if mib:
        return mib * MIB
    known = [size for size in (_of_machine(), _of_group()) if size]
    return int(min(known) * SHARE) if known else 0


def give_back_memory() -> None:
    """Collect garbage, and let the C library return what it keeps to the system (glibc)."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_machine() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in _MACHINE.read_text().splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    return 0


def _of_group() -> int:
    """The least `memory.max` of this process's control group (version 2) and those above it."""
    with suppress(OSError, StopIteration):
        line = next(row for row in _OWN_GROUP.read_text().splitlines() if row.startswith("0::"))
        folder = _GROUPS / line[3:].lstrip("/")
        return min(filter(None, map(_most, (folder, *folder.parents))), default=0)
    return 0


def _most(folder: Path) -> int:
    with suppress(OSError, ValueError):  # ValueError: it says "max"
        return int((folder / "memory.max").read_text())
    return 0
