"""The reasons a worker may give for going on after a warning."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.prompt.languages import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD_TOKEN = "token"  # noqa: S105 - the name of a form field, not a secret
FIELD_REASON = "reason"
FIELD_DETAIL = "detail"

DESK_PORT = 451
"""The port of the stopped host at which a node answers forms, and lets nothing pass by leave.

A form that is sent to the stopped origin itself would reach that origin, with the reason in it,
when the worker has gone on in another tab meanwhile. Nothing else is there; browsers allow it.
"""

MAX_DETAIL = 300
"""Characters of the free text that goes with a reason."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "meeting_now": mark("The meeting is about to begin and cannot be moved"),
        "partner": mark("The organiser belongs to another organisation and cannot change"),
        "look_up": mark("I only need to read or fetch something here"),
        "other": mark("Another reason, which I explain below"),
    }
)
"""The reasons by the value that the form sends and the event keeps, with their English text."""


def is_reason(value: str) -> bool:
    """Whether a form's value is one of the reasons."""
    return value in REASONS
