"""What a trace says of each step: English sentences by key, each with places for its values.

Logs and `sovproxy check` have them in English. Whoever shows them in another language has the key
and the values.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

NOTES: Final = MappingProxyType(
    {
        "not-refused": "the address is not in a refused network",
        "not-internal": "neither an internal domain nor network",
        "other-services": "does not fit: it names other services",
        "other-value": "does not fit: %(part)s is %(found)s",
        "no-value": "does not fit: %(part)s is unknown",
        "not-yet": "fits, but is not in force yet",
        "refused-network": (
            "The address is in a network that the policy never lets the proxy connect to."
        ),
        "leads-inside": (
            "The name leads to an internal network, but is none of the policy's internal domains."
        ),
        "internal-domain": "The host is one of the policy's internal domains.",
        "internal-network": "The address is in an internal network.",
        "recalled": "The fact is only recalled, so that it warns instead of blocking.",
        "no-rule": "No rule fits.",
        "unreadable": "It cannot be read: it %(problem)s.",
        "exception": (
            "Exception %(number)s lets it pass until %(until)s; "
            "without it: rule %(rule)s, %(action)s."
        ),
    }
)
"""A note on a step that decides is a sentence; the others go on after the name of their rung."""


class Note(NamedTuple):
    """One of `NOTES`, by its key, with the values that stand in it by name."""

    key: str
    values: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """In English."""
        return NOTES[self.key] % dict(self.values)
