"""The chain of the audit: each entry's hash is over the entry and the hash of the one before.

Whoever changes, takes out, puts in or moves an entry has to write every hash after it anew; and
then the last one is another than those that were noted elsewhere, the *anchors*. Without an anchor
two things cannot be seen: that the newest entries were cut off, and that all was written anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GENESIS: Final = "0" * 64
"""What stands for the hash before the first entry."""

FIELDS: Final = ("seq", "time", "token", "name", "role", "what", "details", "rows")
LOOK_AHEAD: Final = 500
"""Among how many entries after a broken one it is looked for the entry that belongs there."""

type Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A hash that was noted outside: of which entry, and that entry's Unix µs (0: not known)."""

    hash: str
    seq: int = 0
    time: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong: at which entry, what was done, and how that shows."""

    seq: int
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking has found: `entries` are good, the last of them is `last` with hash `head`.

    `time` is when that was made (Unix µs), `through` the last entry that retention has deleted, 0
    if none, and `anchors` how many noted hashes were compared.
    """

    entries: int
    first: int
    last: int
    head: str
    time: int
    through: int
    anchors: int
    fault: Fault | None


def entry_hash(before: str, entry: Entry) -> str:
    """The hash (SHA-256, hexadecimal) of an entry after one with the hash `before`.

    It is over `before`, a line feed, and the fields of FIELDS as a JSON array in ASCII without
    spaces. This form is never changed: what was hashed with it is kept for years.
    """
    text = json.dumps([entry[name] for name in FIELDS], separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Deleted:
    """What retention has deleted: up to which entry, its hash, and how old it was (Unix µs)."""

    through: int = 0
    hash: str = GENESIS
    until: int = 0


def deleted_by(checkpoint: Entry | None) -> Deleted:
    """What an entry of retention tells; one that cannot be read tells of nothing."""
    try:
        told = json.loads(checkpoint["details"]) if checkpoint else {}
        return Deleted(int(told["through"]), str(told["hash"]), int(told["until"]))
    except (ValueError, TypeError, KeyError):
        return Deleted()


class Checker:
    """Goes along the entries, oldest first, until something does not fit."""

    def __init__(self, told: Deleted, anchors: Sequence[Anchor] = ()) -> None:
        self._deleted = told
        self._anchors = anchors
        self._left = {anchor for anchor in anchors if not 0 < anchor.seq <= told.through}
        self._noted = {anchor.seq: anchor for anchor in anchors if anchor.seq}
        self._entries = self._first = 0
        self._last, self._head, self._time = told.through, told.hash, told.until

    def check(self, entries: Iterable[Entry]) -> Checked:
        """Check all of them."""
        fault = self._deleted_too_soon()
        iterator = iter(() if fault else entries)
        for entry in iterator:
            fault = self._misfit(entry, iterator) or self._contradicted(entry)
            if fault:
                break
            self._entries += 1
            self._first = self._first or int(entry["seq"])
            self._last, self._time = int(entry["seq"]), int(entry["time"])
            self._head = str(entry["hash"])
            if self._left:
                self._left -= {one for one in self._left if one.hash == self._head}
        return self._result(fault or self._unmet())

    def _result(self, fault: Fault | None) -> Checked:
        return Checked(
            entries=self._entries,
            first=self._first,
            last=self._last,
            head=self._head,
            time=self._time,
            through=self._deleted.through,
            anchors=len(self._anchors),
            fault=fault,
        )

    def _misfit(self, entry: Entry, rest: Iterable[Entry]) -> Fault | None:
        seq, due = int(entry["seq"]), self._last + 1
        if seq < due:
            return Fault(seq, "inserted", f"entry {seq} is here, and retention has deleted it")
        if entry["hash"] == entry_hash(self._head, entry):
            return None
        for other in (entry, *islice(rest, LOOK_AHEAD)):
            number = int(other["seq"])
            if other["hash"] == entry_hash(self._head, other):
                put = f"entry {seq}" if number == seq + 1 else f"entries {seq} to {number - 1}"
                return Fault(seq, "inserted", f"{put} put in: entry {number} follows {due - 1}")
            if other["hash"] == entry_hash(self._head, {**other, "seq": due}):
                return Fault(due, "moved", f"entry {due} was moved: it stands at {number}")
        if seq > due:
            gone = f"entry {due}" if seq == due + 1 else f"entries {due} to {seq - 1}"
            return Fault(due, "removed", f"{gone} taken out, or entry {seq} changed")
        says = f"entry {seq} was changed, or entry {due - 1} together with its hash"
        return Fault(seq, "changed", says)

    def _contradicted(self, entry: Entry) -> Fault | None:
        anchor = self._noted.get(int(entry["seq"]))
        if anchor is None or anchor.hash == entry["hash"]:
            return None
        says = f"entry {anchor.seq} is not the one that was noted: all from before it on is new"
        return Fault(anchor.seq, "rewritten", says)

    def _deleted_too_soon(self) -> Fault | None:
        """Retention deletes by age; where its entry lies about that, it meets what was noted."""
        told = self._deleted
        for seq, anchor in sorted(self._noted.items()):
            is_last = seq == told.through and anchor.hash != told.hash
            if seq <= told.through and (anchor.time > told.until or is_last):
                says = f"entry {seq} was noted, and retention had no business with it yet"
                return Fault(seq, "removed", says)
        return None

    def _unmet(self) -> Fault | None:
        """What was noted and did not come by."""
        for anchor in sorted(self._left, key=lambda one: (one.seq, one.hash)):
            what = f"entry {anchor.seq}" if anchor.seq else f"an entry with the hash {anchor.hash}"
            says = f"{what} was noted and is not here; the last one is {self._last}"
            return Fault(self._last + 1, "cut", says)
        return None
