"""What an administration adds to the shipped catalogue, or says otherwise: YAML in its own folder.

A file here replaces the shipped entry of the same id whole; taking it away brings that one back.
Nothing is written unless shipped and local files together still make a catalogue.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import yaml

from sovproxy import yamlfile
from sovproxy.atlas.entries import MAX_BYTES, MAX_FILES, read_entries
from sovproxy.atlas.load import SHIPPED, load_atlas
from sovproxy.atlas.names import identifier
from sovproxy.errors import InvalidFile, Problem, SovproxyError
from sovproxy.events.files import PRIVATE_FILE, make_private_folder, replace_private, sync_folder
from sovproxy.store import audit
from sovproxy.usecases.access.auditing import Act, act_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal

MAX_TEXT: Final = 60_000
"""Characters of one entry."""

_SHOWN_IN_AUDIT: Final = 20_000


class Kind(StrEnum):
    """What can be added or said otherwise; the names of the folders."""

    SERVICES = "services"
    OPERATORS = "operators"


class NoSuchEntry(SovproxyError):
    """There is no local entry of this kind and id."""


@dataclass(frozen=True, slots=True)
class LocalEntry:
    """One local file. `replaces` tells that a shipped entry of this id stands behind it."""

    kind: Kind
    id: str
    text: str
    replaces: bool


class LocalCatalogue:
    """The folder of local entries. It is made at the first entry; `shipped` stands before it."""

    def __init__(self, folder: Path, shipped: Path = SHIPPED) -> None:
        self.folder = folder
        self._shipped = shipped
        self._lock = threading.Lock()

    def entries(self) -> list[LocalEntry]:
        """All local entries, by kind and id. Raises OSError."""
        return [
            LocalEntry(
                kind, path.stem, path.read_text("utf-8"), bool(self.shipped(kind, path.stem))
            )
            for kind in Kind
            for path in sorted((self.folder / kind).glob("*.yaml"))
        ]

    def find(self, kind: Kind, key: str) -> LocalEntry:
        """One local entry. Raises NoSuchEntry, OSError."""
        text = self._read(kind, key)
        if not text:
            raise NoSuchEntry(f"there is no local entry {kind}/{key[:100]}")
        return LocalEntry(kind, key, text, bool(self.shipped(kind, key)))

    def shipped(self, kind: Kind, key: str) -> str:
        """The shipped entry as the text of a local one; empty if there is none."""
        if kind is Kind.SERVICES:
            path = self._shipped / kind / f"{key}.yaml"
            return path.read_text("utf-8") if _is_id(key) and path.is_file() else ""
        for path in sorted((self._shipped / kind).glob("*.yaml")):
            if f"id: {key}\n" in path.read_text("utf-8"):
                found = _operators(path)
                if key in found:
                    return to_yaml({"group": key, "operators": [found[key]]})
        return ""

    def put(self, store: Store, principal: Principal, kind: Kind, key: str, text: str) -> None:
        """Add an entry or replace one, with its audit entry.

        Raises InvalidFile with every problem and its line, StoreUnavailable, OSError.
        """
        if not text.strip():
            raise InvalidFile([Problem(f"{key[:100]}.yaml", 0, 0, "", "is empty")])
        self._change(store, principal, kind, key, text)

    def remove(self, store: Store, principal: Principal, kind: Kind, key: str) -> None:
        """Take a local entry away, with its audit entry.

        Raises NoSuchEntry, InvalidFile if others need it, StoreUnavailable, OSError.
        """
        self.find(kind, key)
        self._change(store, principal, kind, key, "")

    def _change(self, store: Store, principal: Principal, kind: Kind, key: str, text: str) -> None:
        path = self.folder / kind / f"{key}.yaml"
        _check(path, key, text)
        with self._held():
            before = self._read(kind, key)
            if not before and len(self.entries()) >= MAX_FILES:
                message = f"there are {MAX_FILES} local entries already"
                raise InvalidFile([Problem(str(path), 0, 0, "", message)])
            self._try(kind, key, text)
            told = {"kind": kind.value, "id": key, "before": before, "after": text}
            shown = {name: value[:_SHOWN_IN_AUDIT] for name, value in told.items()}
            with store.writing() as connection:
                audit.add_entry(connection, act_entry(principal, Act.CATALOGUE_CHANGE, shown))
                _write(path, text)

    def _read(self, kind: Kind, key: str) -> str:
        path = self.folder / kind / f"{key}.yaml"
        return path.read_text("utf-8") if _is_id(key) and path.is_file() else ""

    def _try(self, kind: Kind, key: str, text: str) -> None:
        """Load everything as it would be. Raises InvalidFile, with the files' real names."""
        with TemporaryDirectory(prefix="sovproxy-") as name:
            draft = Path(name) / "catalogue"
            shutil.copytree(self.folder, draft, ignore=shutil.ignore_patterns(".*"))
            path = draft / kind / f"{key}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text, "utf-8")
            try:
                load_atlas((self._shipped, draft))
            except InvalidFile as error:
                raise InvalidFile([self._real(item, draft) for item in error.problems]) from None
            if text and read_entries(draft).is_too_much:
                bounds = f"{MAX_FILES} files or {MAX_BYTES // 1024**2} MiB"
                message = f"with it, local entries are more than {bounds} in all"
                raise InvalidFile([Problem(f"{key}.yaml", 0, 0, "", message)])

    def _real(self, problem: Problem, draft: Path) -> Problem:
        file = problem.file.replace(str(draft), str(self.folder))
        message = problem.message.replace(str(draft), str(self.folder))
        return Problem(file, problem.line, problem.column, problem.where, message)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One change at a time, of all processes."""
        make_private_folder(self.folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        with self._lock:
            handle = os.open(self.folder / ".lock", flags, PRIVATE_FILE)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)


def to_yaml(value: dict[str, Any]) -> str:
    """Write plain values as YAML that our strict reader takes."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def _check(path: Path, key: str, text: str) -> None:
    """What can be said of the entry by itself. Raises InvalidFile."""
    message = ""
    if not _is_id(key):
        message = (
            f"`{key[:100]}` is no id; lower-case letters, digits and single hyphens are wanted"
        )
    elif len(text) > MAX_TEXT:
        message = f"is longer than {MAX_TEXT} characters"
    if message:
        raise InvalidFile([Problem(path.name[:100], 0, 0, "id", message)])


def _write(path: Path, text: str) -> None:
    if text:
        make_private_folder(path.parent)
        replace_private(path, text.encode("utf-8"))
    else:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def _is_id(key: str) -> bool:
    try:
        return len(key) <= 100 and identifier(key) == key  # as ids in events
    except ValueError:
        return False


def _operators(path: Path) -> dict[str, Any]:
    value = yamlfile.read(path).value
    found = value.get("operators", []) if isinstance(value, dict) else []
    return {item["id"]: item for item in found}
