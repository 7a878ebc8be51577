"""Facts that papers report, and a reader that notes which of them a sentence has looked at.

A sentence cannot cite what it did not read, nor use what it does not cite: reading is citing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.prompt.shown import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

type Value = bool | int | str | date | tuple[str, ...] | Mapping[str, str]
"""Empty text, list or texts by language: not there."""

MAX_SHOWN = 120
"""Characters of a value in a reference."""

NOTHING = "–"
"""What stands in a reference for a value that is empty."""

_WHERE = {
    "policy": "policy {}",
    "settings": "settings {}",
    "papers": "papers.yaml {}",
    "program": "sovproxy {}",
    "machine": "machine {}",
}


class UnknownFact(SovproxyError):
    """A text of a paper names a fact that nobody gathers."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact by its key, such as `policy.retention.events`.

    The key begins with where it comes from: policy, settings, papers (the particulars), program
    (this version of sovproxy; `where` then names the place in the code) or machine (its files and
    its store).
    """

    key: str
    value: Value
    where: str = ""

    @property
    def origin(self) -> str:
        """Where it comes from: the first word of its key."""
        return self.key.partition(".")[0]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to report. A number and a no are something."""
        return self.value in ("", ()) or self.value == {}

    @property
    def place(self) -> str:
        """Where a reader may look it up: `policy retention.events`."""
        return self.where or _WHERE[self.origin].format(self.key.partition(".")[2])

    def shown(self, language: str) -> str:
        """The value in a reference, bounded and visible."""
        text = printable(_plain(self.value, language))
        return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _plain(value: Value, language: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) or NOTHING
    if isinstance(value, Mapping):
        return value.get(language) or next(iter(value.values()), NOTHING)
    return str(value) or NOTHING


class Facts:
    """All facts of one installation at one time. Raises ValueError for a key that stands twice."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self._by_key = {fact.key: fact for fact in facts}
        if len(self._by_key) != len(facts):
            keys = [fact.key for fact in facts]
            twice = sorted({key for key in keys if keys.count(key) > 1})
            raise ValueError(f"facts given twice: {', '.join(twice)}")

    def __getitem__(self, key: str) -> Fact:
        """Give a fact. Raises UnknownFact."""
        try:
            return self._by_key[key]
        except KeyError:
            raise UnknownFact(f"a paper names the fact {key}, which is not gathered") from None

    def __iter__(self) -> Iterator[Fact]:
        """Walk over all facts in the order in which they were gathered."""
        return iter(self._by_key.values())

    def with_value(self, key: str, value: Value) -> Facts:
        """The same facts but for one value: what would the papers say then? Raises UnknownFact."""
        changed = Fact(key, value, self[key].where)
        return Facts(tuple(changed if fact.key == key else fact for fact in self._by_key.values()))


@dataclass(slots=True)
class Reading:
    """Reads facts for one sentence and notes them in `read`, in the order of the first look.

    Where a sentence is repeated for every item of the list `each`, `it` is the present item, and
    `it.protected` is `settings.forward.siem.protected`.
    """

    facts: Facts
    each: str = ""
    item: str = ""
    read: dict[str, Fact] = field(default_factory=dict)

    def fact(self, key: str) -> Fact:
        """Read a fact. Raises UnknownFact."""
        if key == "it":
            return replace(self.fact(self.each), value=self.item)
        full = f"{self.each}.{self.item}{key[2:]}" if key.startswith("it.") else key
        found = self.facts[full]
        self.read.setdefault(full, found)
        return found
