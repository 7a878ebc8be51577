"""The details of an entry of the audit, in the words of the page: what was asked for or done.

Whatever is not a word, a time, a country or a name of the catalogue is shown as it was written,
harmless: host names and reasons in it come from strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sovproxy.console.words import WORDS
from sovproxy.events.text import clean_text
from sovproxy.store.times import from_microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sovproxy.console.frame import Shown
    from sovproxy.console.names import Names

MAX_VALUE: Final = 500
"""Characters of a value that are shown."""

VOCABULARIES: Final = MappingProxyType(
    {
        "action": ("action",),
        "by": ("told_by", "field"),
        "field": ("field",),
        "from": ("role",),
        "kind": ("kind", "finding", "told_kind"),
        "of": ("told_of",),
        "order": ("told_order",),
        "outcome": ("outcome",),
        "range": ("told_range",),
        "role": ("role",),
        "scope": ("scope",),
        "session": ("told_session",),
        "sort": ("told_order",),
        "standing": ("standing",),
        "state": ("exception", "state"),
        "suppressed": ("told_suppressed",),
        "to": ("role", "told_switch"),
        "transport": ("transport",),
        "way": ("told_way",),
        "what": ("act",),
    }
)
"""The vocabularies of a key's values; the first one that has the value says it."""

_TIMES: Final = frozenset({"since", "until", "at"})
_NAMED: Final = frozenset({"service", "operator", "control", "location", "asn", "group"})
_COUNTED: Final = frozenset(
    {"acknowledgements", "contests", "days", "events", "examples"}
    | {"exceptions", "limit", "resolutions", "views", "width"}
)
_VERSIONS: Final = frozenset({"based_on", "source"})
"""Numbers of versions of the policy; 0 stands for none."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_NOTHING: Final[tuple[object, ...]] = ("", None, [])


@dataclass(frozen=True, slots=True)
class Told:
    """Says details in one language, with names from the catalogue of today."""

    show: Shown
    names: Names

    def pairs(self, details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Label and value of each detail that says something."""
        for key, value in details.items():
            if value not in _NOTHING and not (key in _VERSIONS and value == 0):
                yield self.show.word("detail", clean_text(key, 40)), self._value(key, value)

    def _value(self, key: str, value: object) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {text}" for name, text in self.pairs(value))
        if isinstance(value, list):
            return ", ".join(self._value(key, one) for one in value)
        if isinstance(value, bool):
            return self.show.word("answer", "yes" if value else "no")
        return clean_text(self._text(key, value), MAX_VALUE)

    def _text(self, key: str, value: object) -> str:
        if key in _TIMES:
            return self._time(value)
        if key in _NAMED:
            return self.names.of(key, value)
        if key in _COUNTED and isinstance(value, int):
            return self.show.number(value)
        if key == "without":
            return self._left_out(str(value))
        return self._word(key, str(value))

    def _word(self, key: str, value: str) -> str:
        found = (name for name in VOCABULARIES.get(key, ()) if value in WORDS[name])
        vocabulary = next(found, None)
        return self.show.word(vocabulary, value) if vocabulary else value

    def _left_out(self, text: str) -> str:
        """`service:zoom`, a field and its value."""
        field, _, value = text.partition(":")
        return f"{self.show.word('detail', field)} {self._value(field, value)}"

    def _time(self, value: object) -> str:
        """A time as the page shows times; checkpoints hold Unix µs, filters of the audit days."""
        text = str(value)
        try:
            at = (
                from_microseconds(value) if isinstance(value, int) else datetime.fromisoformat(text)
            )
        except (ValueError, OverflowError):
            return text
        if _DAY.fullmatch(text):
            return self.show.date(at)
        return self.show.moment(at if at.tzinfo else at.replace(tzinfo=UTC))
