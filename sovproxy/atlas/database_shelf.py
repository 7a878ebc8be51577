"""The imported databases of one installation: which file is current and which came before it.

`databases.json` is the switch. Databases are written beside it under names of their own, then one
rename of that file puts them in use, so a reader sees the old state or the new one, and a crash
leaves the old one.
"""

from __future__ import annotations

import fcntl
import json
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sovproxy.atlas.database_baseline import put
from sovproxy.errors import UnusableDatabase
from sovproxy.events.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sovproxy.atlas.mmdb_schema import Kind

MANIFEST = "databases.json"
ABANDONED_AFTER = 86_400.0


@dataclass(frozen=True, slots=True)
class Imported:
    """One imported database. `source` is fit to be shown: no password, no key, no query.

    `imported_at` is an ISO time (UTC); `asked` the sha256 of the URL it came from and `etag` what
    the server called it, both empty for a file imported by hand.
    """

    file: str
    sha256: str
    source: str
    imported_at: str
    asked: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The imports of one kind of database: in use, and the one before."""

    current: Imported | None = None
    previous: Imported | None = None

    def add(self, imported: Imported) -> Shelf:
        """Put a database in use. The same bytes again only refresh what is known about them."""
        same = self.current is not None and self.current.sha256 == imported.sha256
        return Shelf(imported, self.previous if same else self.current)

    def back(self) -> Shelf:
        """Put the previous database (or the baseline) in use, and keep the current one."""
        return Shelf(self.previous, self.current)


type Shelves = Mapping[Kind, Shelf]


def read(folder: Path) -> dict[Kind, Shelf]:
    """Read the manifest; nothing imported gives empty shelves. Raises UnusableDatabase."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"location": _shelf(content, "location"), "network": _shelf(content, "network")}
    except FileNotFoundError:
        return {"location": Shelf(), "network": Shelf()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UnusableDatabase(
            f"{path}: is not the list of imported databases that sovproxy wrote ({error}); "
            "remove it to go back to the shipped databases, then import again"
        ) from None


def _shelf(content: dict[str, Any], kind: Kind) -> Shelf:
    entry = content.get(kind, {})
    return Shelf(_imported(entry.get("current")), _imported(entry.get("previous")))


def _imported(entry: dict[str, Any] | None) -> Imported | None:
    if entry is None:
        return None
    imported = Imported(**entry)
    if "/" in imported.file or not imported.file.endswith(".mmdb"):
        raise ValueError(f"file {imported.file!r} is not the name of a database in this folder")
    return imported


def write(folder: Path, shelves: Shelves) -> None:
    """Switch to these shelves, then remove the imported files that stand on none of them."""
    content = {kind: asdict(shelf) for kind, shelf in shelves.items()}
    put((json.dumps(content, indent=2) + "\n").encode(), folder / MANIFEST)
    kept = {i.file for s in shelves.values() for i in (s.current, s.previous) if i}
    for path in folder.glob("imported-*.mmdb"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
    for path in folder.glob(".new-*"):  # what a killed import or download left behind
        if path.stat().st_mtime < time.time() - ABANDONED_AFTER:
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the shelves; readers need no lock."""
    make_private_folder(folder)
    with (folder / "databases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def token(path: Path) -> tuple[int, int, int]:
    """Identify one state of a file cheaply: inode, size, time of change. Zeros if it is missing."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0, 0)
    return (state.st_ino, state.st_size, state.st_mtime_ns)
