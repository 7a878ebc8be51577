"""Times as they are stored: Unix microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Unix microseconds of an aware time, without rounding."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The UTC time of Unix microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def later(column: Column[int], at: int) -> ColumnElement[int]:
    """`at`, or just after what stands in the column: so each change of a row has its own time."""
    return case((column >= at, column + 1), else_=at)
