"""The form on a prompt with which a worker asks for an exception: its fields, and how long it may
be wanted for."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from sovproxy.prompt.languages import mark

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD_TOKEN = "token"  # noqa: S105 - the name of a form field, not a secret
FIELD_WHY = "why"
FIELD_SPAN = "until"
FIELD_PART = "part"

MIN_WHY, MAX_WHY = 3, 500
"""Characters of the worker's words."""

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "guest": mark("I am a guest of a meeting that others organise"),
        "host": mark("I organise the meeting"),
        "none": mark("It is not for a meeting"),
    }
)
"""What the worker is in the meeting, by the value that the form sends, with its English text."""

_LAST_SECOND = {"hour": 23, "minute": 59, "second": 59, "microsecond": 0}
_SUNDAY = 6


class Span(StrEnum):
    """How long an exception is wanted for."""

    TODAY = "today"
    WEEK = "week"
    LONGEST = "longest"


def ends(now: datetime, days: int) -> dict[Span, datetime]:
    """When each choice ends, soonest first: those that differ and last at most `days` days.

    `now` must carry the time zone in which days begin.
    """
    today = now.replace(**_LAST_SECOND)  # type: ignore[arg-type]  # names and numbers of fields
    week = today + timedelta(days=_SUNDAY - now.weekday())
    longest = now + timedelta(days=days)
    choices = {Span.TODAY: today, Span.WEEK: week, Span.LONGEST: longest}
    kept: dict[Span, datetime] = {}
    for span, end in choices.items():
        if end <= longest and end not in kept.values():
            kept[span] = end
    return kept


def is_why(text: str) -> bool:
    """Whether this says why."""
    return MIN_WHY <= len(text.strip()) <= MAX_WHY
