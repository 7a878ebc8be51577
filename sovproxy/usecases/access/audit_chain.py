"""Checking the audit's chain, and keeping anchors: hashes that were noted outside the database.

Whoever may write to the database can write the whole audit anew with hashes that fit. What they
cannot reach are anchors elsewhere: the file beside the API, its log, what was exported or printed.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import asdict, dataclass, replace
from datetime import datetime  # noqa: TC003  # the models read their annotations
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.errors import SovproxyError
from sovproxy.events.files import make_private_folder, replace_private
from sovproxy.events.text import visible
from sovproxy.store.audit import FIRST, all_entries
from sovproxy.store.chain import Anchor, Checked, Checker, Deleted, deleted_by
from sovproxy.store.tables.audit import CHECKPOINT
from sovproxy.store.times import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sovproxy.store.chain import Entry
    from sovproxy.store.database import Store

log = logging.getLogger(__name__)

NOTE_SECONDS: Final = 60
"""How often the newest entry is noted, if there is a new one."""

MAX_ANCHORS: Final = 1500
"""Anchors in the file: the last of each day (UTC), for some four years."""

MAX_LINE: Final = 64 * 1024
_HASH: Final = re.compile(r"(?:(\d{1,18}):)?([0-9a-f]{64})")


class UnreadableAnchors(SovproxyError):
    """A file with anchors, or an export, holds something else; or what was given is no anchor."""


class ChainState(BaseModel):
    """What the last check of the audit found. `fault` is empty as long as everything fits."""

    checked: datetime | None = Field(description="Null before the first check.")
    entries: int = Field(examples=[812])
    last: int = Field(examples=[812])
    head: str = Field(description="Hash of the last entry that fits.")
    deleted_through: int = Field(description="Up to which entry retention has deleted.")
    anchors: int = Field(description="Noted hashes that it was compared with.")
    fault: str = Field(examples=[""])


def check(store: Store, anchors: Sequence[Anchor] = ()) -> Checked:
    """Check every entry. Raises StoreUnavailable."""
    with all_entries(store) as (told, entries):
        return Checker(told, anchors).check(entries)


def check_export(path: Path, anchors: Sequence[Anchor] = ()) -> Checked:
    """Check what `sovproxy audit export` wrote. Raises UnreadableAnchors, OSError."""
    told = Deleted()
    for entry in _exported(path):
        if entry["what"] == CHECKPOINT:
            told = deleted_by(entry)
    return Checker(told, anchors).check(_exported(path))


def _exported(path: Path) -> Iterator[Entry]:
    wanted = {"seq": int, "time": int, "rows": int} | dict.fromkeys(
        ("token", "name", "role", "what", "details", "hash"), str
    )
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                entry = json.loads(line)
                fits = {name: type(value) for name, value in entry.items()} == wanted
            except (ValueError, AttributeError, RecursionError):
                fits = False
            if not fits:
                raise UnreadableAnchors(
                    f"{path}: line {number} is no entry of the audit as `sovproxy audit export`"
                    " writes it"
                )
            yield entry


def read_anchor(text: str) -> Anchor:
    """Read `HASH` or `NUMBER:HASH`. Raises UnreadableAnchors."""
    found = _HASH.fullmatch(text.strip().lower())
    if not found:
        shown = visible(text[:80])
        raise UnreadableAnchors(
            f"{shown} is no anchor: a hash of 64 hexadecimal digits is wanted, alone or after the"
            " entry's number and a colon"
        )
    return Anchor(found[2], int(found[1] or 0))


def read_anchors(path: Path) -> list[Anchor]:
    """The anchors in a file, one a line: as the API notes them, or as `read_anchor` reads them.

    Raises UnreadableAnchors, OSError.
    """
    found = []
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            if line.strip():
                found.append(_anchor(line.decode("utf-8", "replace")))
    return found


def _anchor(line: str) -> Anchor:
    if not line.lstrip().startswith("{"):
        return read_anchor(line)
    try:
        noted = json.loads(line)
        given = read_anchor(f"{int(noted['seq'])}:{noted['hash']}")
        return replace(given, time=int(noted.get("time", 0)))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableAnchors(f"{visible(line[:80])} is no anchor") from error


@dataclass(frozen=True, slots=True)
class _Known:
    """What was noted, oldest first, or why that cannot be read."""

    anchors: tuple[Anchor, ...] = ()
    problem: str = ""


class AuditWatch:
    """Notes the newest entry outside the database, and checks the audit against what was noted."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._lock = threading.Lock()
        self.state = ChainState(
            checked=None, entries=0, last=0, head="", deleted_through=0, anchors=0, fault=""
        )

    def check(self, now: datetime) -> ChainState:
        """Check everything, and keep what was found for who asks. Raises StoreUnavailable."""
        with self._lock:
            known = self._read()
            found = check(self._store, known.anchors)
            fault = f"{found.fault.kind}: {found.fault.says}" if found.fault else known.problem
            self.state = ChainState(
                checked=now,
                entries=found.entries,
                last=found.last,
                head=found.head,
                deleted_through=found.through,
                anchors=found.anchors,
                fault=fault,
            )
        if fault:
            log.error("audit: it does not fit: %s; see `sovproxy audit verify`", fault)
        return self.state

    def note(self) -> Anchor | None:
        """Note the newest entry, if there is a new one and it follows from the one noted last.

        The line in the log is an anchor too, wherever the log is sent to. Raises
        StoreUnavailable, OSError.
        """
        with self._lock:
            known = self._read()
            if known.problem:
                return None
            newest = self._newest(known.anchors[-1] if known.anchors else None)
            if newest is None:
                return None
            make_private_folder(self._path.parent)
            kept = _thinned([*known.anchors, newest])
            lines = [json.dumps(asdict(anchor)).encode() + b"\n" for anchor in kept]
            replace_private(self._path, b"".join(lines))
        log.info("audit: entry %d has the hash %s", newest.seq, newest.hash)
        return newest

    def _newest(self, last: Anchor | None) -> Anchor | None:
        """The newest entry, if it is another than `last`, and all between them fits."""
        with all_entries(self._store, last.seq if last else FIRST) as (deleted, entries):
            told = deleted
            if last:
                noted = next(entries, None)
                if noted is None or noted["hash"] != last.hash:
                    log.error("audit: entry %d is not the one that was noted", last.seq)
                    return None
                told = Deleted(last.seq, last.hash, last.time)
            found = Checker(told).check(entries)
        if found.fault:
            log.error("audit: %s; see `sovproxy audit verify`", found.fault.says)
        if found.fault or not found.entries:
            return None
        return Anchor(found.head, found.last, found.time)

    def _read(self) -> _Known:
        try:
            return _Known(tuple(read_anchors(self._path)))
        except FileNotFoundError:
            return _Known()
        except (UnreadableAnchors, OSError) as error:
            return _Known(problem=f"the anchors in {self._path} cannot be read: {error}")


def _thinned(anchors: list[Anchor]) -> list[Anchor]:
    """The last of each day: it vouches for those before it."""
    days = {from_microseconds(anchor.time).date(): anchor for anchor in anchors}
    return sorted(days.values(), key=lambda anchor: anchor.seq)[-MAX_ANCHORS:]
