"""The closed vocabularies of DESIGN.md §2. Their values stand in files and APIs."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What is done with a connection, from mild to strict."""

    ALLOW = "allow"
    OBSERVE = "observe"
    WARN = "warn"
    BLOCK = "block"

    @property
    def strictness(self) -> int:
        """0 for `allow` up to 3 for `block`."""
        return _STRICTNESS[self]

    @property
    def stops(self) -> bool:
        """Whether a prompt is shown instead of the destination."""
        return self is Action.WARN or self is Action.BLOCK


_STRICTNESS = {action: rank for rank, action in enumerate(Action)}


class Standing(StrEnum):
    """Where a destination stands, relative to the trust zone."""

    SOVEREIGN = "sovereign"
    HOSTED_HERE_CONTROLLED_ABROAD = "hosted_here_controlled_abroad"
    ABROAD = "abroad"
    UNKNOWN = "unknown"


class Verification(StrEnum):
    """How well a catalogue fact is established.

    `verified`: read in the vendor's own document or in a registry. `mixed`: in independent public
    lists, or verified in part. `recalled`: from memory or one list; may not block by itself.
    """

    VERIFIED = "verified"
    MIXED = "mixed"
    RECALLED = "recalled"


class Effect(StrEnum):
    """What a legal power does abroad."""

    DISCLOSE = "disclose"
    CUT_OFF = "cut_off"


class PowerStatus(StrEnum):
    """Whether a power can be used today. `lapsed` may still have effects: see `Power.note`."""

    IN_FORCE = "in_force"
    LAPSED = "lapsed"
    PROPOSED = "proposed"
