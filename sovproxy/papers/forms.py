"""How values read in a sentence: `{policy.retention.events:days}` is "183 days", "183 jours"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit

from sovproxy.papers.typography import NBSP
from sovproxy.prompt.shown import printable

if TYPE_CHECKING:
    from sovproxy.papers.facts import Value
    from sovproxy.papers.texts import Words
    from sovproxy.prompt.languages import Language


_DAY: Final = 86400
_UNITS: Final = ((_DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
type _Style = Literal["standard", "or"]


def shape(value: Value, form: str, language: Language, words: Words) -> str:
    """Write a value as its form wants it. Raises KeyError for a form or word that is unknown.

    Forms: none, `days` and `seconds` (durations), `words VOCABULARY` (joined by "and"),
    `either VOCABULARY` (by "or"), `ONE|MANY` (a number with its noun), `country`, `zone` (countries
    and groups of them).
    """
    kind, _, vocabulary = form.partition(" ")
    if is_count(form):
        return _counted(value, form, language)
    if kind in {"words", "either"}:
        style: _Style = "or" if kind == "either" else "standard"
        return _listed(value, language, lambda it: words.say(vocabulary, it, language.code), style)
    if kind == "country":
        return _listed(value, language, language.country)
    if kind == "zone":
        return _zone(value, language, words)
    if form:
        return _FORMS[form](value, language)
    return _listed(value, language, printable)


def _listed(
    value: Value, language: Language, say: Callable[[str], str], style: _Style = "standard"
) -> str:
    """A value, or every value of a list, in words."""
    if isinstance(value, tuple):
        return format_list([say(item) for item in value], style, language.locale)
    if isinstance(value, bool):
        return say(str(value).lower())
    if isinstance(value, int):
        return format_decimal(value, locale=language.locale)
    if isinstance(value, date):
        return _date(value, language)
    if isinstance(value, Mapping):
        return say(value.get(language.code) or next(iter(value.values())))
    return say(value)


def is_count(form: str) -> bool:
    """Whether a form says how many: then none is an answer, and no gap."""
    return "|" in form


def _zone(value: Value, language: Language, words: Words) -> str:
    """A trust zone: first what is in it, then what is taken out (`-HU`)."""

    def say(code: str) -> str:
        known = words.vocabularies["zone"].get(code)
        return known.get(language.code) if known else language.country(code)

    codes = value if isinstance(value, tuple) else (str(value),)
    inside = _listed(tuple(code for code in codes if code[0] != "-"), language, say)
    outside = tuple(code[1:] for code in codes if code[0] == "-")
    if not outside:
        return inside
    without = words.say("other", "without", language.code) % _listed(outside, language, say)
    return f"{inside}, {without}"


def _date(day: date, language: Language) -> str:
    """A date in full; the first of a month is `1er` in French."""
    text = format_date(day, "long", locale=language.locale).replace(" ", NBSP)
    return f"1er{text[1:]}" if language.code == "fr" and day.day == 1 else text


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, tuple):
        return len(value)
    raise KeyError(f"a number or a list is wanted, got {value!r}")


def _counted(value: Value, form: str, language: Language) -> str:
    """A number with its noun, in the right one of its two forms."""
    number = _number(value)
    one, many = form.split("|")
    noun = one if language.locale.plural_form(number) == "one" else many
    return f"{format_decimal(number, locale=language.locale)}{NBSP}{noun}"


def _days(value: Value, language: Language) -> str:
    return _measured(_number(value), "day", language)


def _seconds(value: Value, language: Language) -> str:
    """A duration in the largest unit that it is a whole number of; one day is 24 hours."""
    number = _number(value)
    units = (item for item in _UNITS if number % item[0] == 0 and (number, item[0]) != (_DAY, _DAY))
    size, unit = next(units)
    return _measured(number // size, unit, language)


def _measured(number: int, unit: str, language: Language) -> str:
    text = format_unit(number, f"duration-{unit}", "long", locale=language.locale)
    return text.replace(" ", NBSP)


_FORMS: Final[Mapping[str, Callable[[Value, Language], str]]] = {
    "days": _days,
    "seconds": _seconds,
}
