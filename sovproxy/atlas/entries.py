"""An administration's own entries as one thing: the files of their folder, named by a digest."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sovproxy.atlas.files import FOLDERS, SHARED, UNDECRYPTED, UNUSED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_FILES: Final = 5_000
MAX_BYTES: Final = 4 * 1024 * 1024
"""Of all entries together, in UTF-8: more is not told to nodes."""

PATH_PATTERN: Final = (
    rf"^(?:(?:{'|'.join(FOLDERS)})/[A-Za-z0-9][A-Za-z0-9._-]{{0,120}}\.yaml"
    rf"|{'|'.join(re.escape(name) for name in (SHARED, UNDECRYPTED, UNUSED))})$"
)
"""What a file of a catalogue may be named, seen from its folder."""

is_path = re.compile(PATH_PATTERN).fullmatch

type Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """The files of one version, by their path in the folder. Without any the digest is empty."""

    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_too_much(self) -> bool:
        """Whether this is more than nodes are told."""
        size = sum(len(text.encode()) for text in self.files.values())
        return len(self.files) > MAX_FILES or size > MAX_BYTES


def digest_of(files: Mapping[str, str]) -> str:
    """The name of a version: SHA-256 over paths and texts, in hexadecimal; empty without files."""
    text = json.dumps(sorted(files.items()), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest() if files else ""


def read_entries(folder: Path) -> Entries:
    """Read a folder as the catalogue does; one that is not there has nothing in it.

    Raises OSError.
    """
    files = dict(_files(folder))
    return Entries(digest_of(files), files)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in _paths(folder):
        yield path.relative_to(folder).as_posix(), path.read_text("utf-8", "replace")


def _paths(folder: Path) -> Iterator[Path]:
    """The files that `load_atlas` reads; folders in it may be links to others."""
    for place in (folder, *(folder / name for name in FOLDERS)):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if is_path(path.relative_to(folder).as_posix()) and path.is_file():
                yield path


def stamp_of(folder: Path) -> Stamp:
    """Name, inode, size and time of every file of a folder. Raises OSError."""
    found = []
    for path in _paths(folder):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # it has just been taken away
        found.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
