"""Follows the folder in which an administration adds to the shipped catalogue."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from sovproxy.atlas.carried import carried_folder
from sovproxy.atlas.entries import MAX_BYTES, MAX_FILES, Entries, read_entries, stamp_of
from sovproxy.atlas.load import SHIPPED, load_atlas
from sovproxy.errors import InvalidFile

if TYPE_CHECKING:
    from pathlib import Path

    from sovproxy.atlas.entries import Stamp
    from sovproxy.atlas.load import Atlas
    from sovproxy.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0


class CatalogueFolder:
    """The shipped catalogue with one folder of entries beside it.

    That is `folder`, if it is there or `needed`; otherwise `carried`, if it is there: what the API
    told this machine (`carried.py`). `digest` names the version in use; `problem` says why what is
    there now is not in use, or is empty.
    """

    def __init__(self, folder: Path, *, needed: bool = False, carried: Path | None = None) -> None:
        self._folder = folder
        self._needed = needed
        self._carried = carried
        self._stamp: Stamp = ()
        self.digest = ""
        self.problem = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of this machine."""
        needed = bool(settings.catalogue_dir)
        carried = carried_folder(settings.data_dir)
        return cls(settings.local_catalogue, needed=needed, carried=carried)

    @property
    def is_own(self) -> bool:
        """Whether this machine has a folder of its own."""
        return self._needed or self._folder.is_dir()

    def load(self) -> Atlas:
        """Load both. Raises InvalidFile. What is read is what was there, or newer, when asked.

        Entries that the API told and that do not fit here do not keep a node from starting: they
        are left out, which `problem` tells.
        """
        self._stamp = self._look()
        try:
            return self._load()
        except InvalidFile as error:
            if self.is_own:
                raise
            self.problem = str(error)
            log.warning("catalogue: what the API told does not fit and is left out:\n%s", error)
            return load_atlas()

    def changed(self) -> Atlas | None:
        """The catalogue anew if a file came, went or changed, else None. Raises InvalidFile.

        One that is refused is not read again until it changes.
        """
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return self._load()
        except InvalidFile as error:
            self.problem = str(error)
            raise

    def _load(self) -> Atlas:
        folder = self._present()
        atlas = load_atlas((SHIPPED, folder) if folder else (SHIPPED,))
        self.problem = ""
        self.digest = read_entries(folder).digest if folder else ""
        return atlas

    def _present(self) -> Path | None:
        if self.is_own:
            return self._folder
        # Followed to its end at once: the link may lead elsewhere before all files are read.
        return self._carried.resolve() if self._carried and self._carried.is_dir() else None

    def _look(self) -> Stamp:
        folder = self._present()
        return stamp_of(folder) if folder else ()


class OwnEntries:
    """The entries in the API's own folder, read anew when they change. Safe between threads.

    What makes no catalogue is not told to anybody: the last good version stays. A folder that is
    `needed` and not there is such a case too.
    """

    def __init__(self, folder: Path, *, needed: bool = False) -> None:
        self._folder = folder
        self._needed = needed
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._looked = float("-inf")
        self._good: Entries | None = None

    def present(self) -> Entries | None:
        """What nodes are to be told; None as long as nothing good was read, and they are to keep
        what they have. The files are looked at once a second at most."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._look()
                self._looked = time.monotonic()
            return self._good

    def _look(self) -> None:
        try:
            stamp = stamp_of(self._folder)
            if stamp == self._stamp:
                return
            found = read_entries(self._folder)
            if found.files or self._needed:
                load_atlas((SHIPPED, self._folder))
        except OSError as error:  # it is tried again at the next look
            log.warning("nodes keep the last good entries of the catalogue: %s", error)
            return
        except InvalidFile as error:
            self._stamp = stamp
            log.warning("nodes keep the last good entries of the catalogue:\n%s", error)
            return
        self._stamp = stamp
        if found.is_too_much:
            bounds = f"{MAX_FILES} files or {MAX_BYTES // 1024**2} MiB"
            log.error("%s has more than %s: nodes keep the last entries", self._folder, bounds)
            return
        self._good = found
