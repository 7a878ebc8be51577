"""The shipped databases, unpacked once for all tests of a process: each time takes 0.6 seconds."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sovproxy.atlas import database_baseline
from sovproxy.atlas.mmdb_schema import KINDS
from sovproxy.events.files import make_private_folder


def furnished(data: Path) -> Path:
    """The same data directory, after the databases were put there; it need not exist yet.

    They are links to the same files, which sovproxy replaces and never writes to.
    """
    folder = data / "databases"
    make_private_folder(folder)
    for path in _unpacked():
        if not (folder / path.name).exists():
            os.link(path, folder / path.name)
    return data


@cache
def _unpacked() -> tuple[Path, ...]:
    folder = Path(tempfile.mkdtemp(prefix="sov-baseline-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return tuple(database_baseline.unpacked(kind, folder) for kind in KINDS)
