"""Follows the folder in which an administration adds to the shipped catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sovproxy.atlas.load import SHIPPED, load_atlas

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.atlas.load import Atlas

type _Stamp = tuple[tuple[str, int, int, int], ...]


class CatalogueFolder:
    """The shipped catalogue with a local folder, which need not exist unless it is `needed`."""

    def __init__(self, folder: Path, *, needed: bool = False) -> None:
        self._folder = folder
        self._needed = needed
        self._stamp: _Stamp = ()

    def load(self) -> Atlas:
        """Load both. Raises InvalidFile. What is read is what was there, or newer, when asked."""
        self._stamp = self._look()
        both = self._needed or self._folder.is_dir()
        return load_atlas((SHIPPED, self._folder) if both else (SHIPPED,))

    def changed(self) -> Atlas | None:
        """The catalogue anew if a file came, went or changed, else None. Raises InvalidFile.

        One that is refused is not read again until it changes.
        """
        return self.load() if self._look() != self._stamp else None

    def _look(self) -> _Stamp:
        """Name, inode, size and time of every file."""
        found = []
        for path in sorted(self._folder.rglob("*.yaml")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # it has just been taken away
            found.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)
