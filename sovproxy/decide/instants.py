"""Instants as text, by the Gregorian calendar alone: this package knows neither clock nor zone."""

from __future__ import annotations

_DAY = 86_400
_FOUR_CENTURIES = 146_097
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def utc_text(seconds: float) -> str:
    """Unix seconds (from 1970 on) as ISO 8601 in UTC, to the second: 2026-11-23T10:30:00+00:00."""
    days, rest = divmod(int(seconds), _DAY)
    year, month, day = _date(days)
    hour, minute, second = rest // 3600, rest // 60 % 60, rest % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00"


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day that come so many days after 1 January 1970."""
    periods, days = divmod(days, _FOUR_CENTURIES)
    year = 1970 + 400 * periods
    while days >= (length := 365 + _is_leap(year)):
        year, days = year + 1, days - length
    month = 1
    while days >= (length := _MONTHS[month - 1] + (month == 2 and _is_leap(year))):
        month, days = month + 1, days - length
    return year, month, days + 1


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
