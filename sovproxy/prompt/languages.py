"""The languages of the pages, and which one a worker gets.

English texts stand in templates and code; every other language is one gettext file,
`translations/<code>.po`, that is read as it is: adding a language means adding one file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING

from babel import Locale
from babel.dates import format_date, format_time, get_timezone_gmt
from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

SOURCE_LANGUAGE = "en"
"""The language of the texts in templates and code; it needs no file."""

_SOURCE_LOCALE = "en_GB"
"""Dates and times in English as they are written in Europe."""

MAX_HEADER = 1024
"""Characters of an Accept-Language header that are read; what follows is ignored."""

type Messages = Mapping[tuple[str, str], str]
"""Translations by context (mostly empty) and English text."""

_RANGE = re.compile(
    r"\s*+(?P<range>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)"
    r"\s*+(?:;\s*+[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?\s*+"
)


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language: its code (`fr`), Babel's knowledge of it, and its translations."""

    code: str
    locale: Locale
    messages: Messages = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def name(self) -> str:
        """Its own name for itself, with a capital: Français, Deutsch."""
        name = self.locale.language_name or self.code
        return name[:1].upper() + name[1:]

    def say(self, message: str, /, **values: object) -> str:
        """The text in this language, with `%(name)s` filled from `values`."""
        return self.say_in("", message, **values)

    def say_in(self, context: str, message: str, /, **values: object) -> str:
        """The text as it reads in `context` (gettext's msgctxt)."""
        text = self.messages.get((context, message), message)
        return text % values if values else text

    def country(self, code: str) -> str:
        """The country's name by its ISO code, or the code itself."""
        return str(self.locale.territories.get(code, code))

    def day(self, day: date) -> str:
        """A date in full: 23 novembre 2026."""
        return format_date(day, "long", locale=self.locale)

    def hour(self, moment: datetime) -> str:
        """A time of day: 10:59."""
        return format_time(moment, "short", locale=self.locale)

    def moment(self, moment: datetime) -> str:
        """Date, time and distance from UTC: 23 novembre 2026, 10:59 (UTC+01:00)."""
        zone = get_timezone_gmt(moment, locale=self.locale)
        return f"{self.day(moment)}, {self.hour(moment)} ({zone})"


def mark(message: str) -> str:
    """Mark a text for translation where it is named; `Language.say` translates it later."""
    return message


@cache
def languages() -> tuple[Language, ...]:
    """All languages there are, the source language first, then by code."""
    source = Language(SOURCE_LANGUAGE, Locale.parse(_SOURCE_LOCALE))
    folder = files("sovproxy.prompt") / "translations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".po"))
    return (source, *(_read(name, (folder / name).read_bytes()) for name in names))


def language_named(code: str) -> Language:
    """The language with this code (`fr`, also `fr-CA`), or the source language."""
    primary = code.replace("_", "-").split("-")[0].lower()
    found = (language for language in languages() if language.code == primary)
    return next(found, languages()[0])


def language_for(accept_language: str, policy_language: str) -> Language:
    """The language of a page, by the browser's Accept-Language (RFC 9110 §12.5.4).

    The policy's language wins whenever the browser accepts it, in whatever place: the pages of a
    French ministry are in French for everybody who reads French. Otherwise the best weighted
    language that we have; without any, the policy's language. Parts of the header that cannot be
    read are ignored.
    """
    weights = _weights(accept_language[:MAX_HEADER])
    preferred = language_named(policy_language)
    if weights.get(preferred.code, 0) > 0:
        return preferred
    named = [language for code in weights for language in languages() if language.code == code]
    rest = weights.get("*", 0)
    best = max((*named, preferred, *languages()), key=lambda item: weights.get(item.code, rest))
    return best if weights.get(best.code, rest) > 0 else preferred


def _weights(header: str) -> dict[str, float]:
    """Weights by primary language subtag, in the order of the header; the highest one counts."""
    weights: dict[str, float] = {}
    for part in header.split(","):
        if match := _RANGE.fullmatch(part):
            code = match["range"].split("-")[0].lower()
            weights[code] = max(weights.get(code, 0.0), float(match["weight"] or 1))
    return weights


def _read(name: str, content: bytes) -> Language:
    code = name.removesuffix(".po")
    catalog = read_po(BytesIO(content), locale=code, abort_invalid=True)
    messages = {
        (entry.context or "", str(entry.id)): str(entry.string)
        for entry in catalog
        if entry.id and entry.string and not entry.fuzzy
    }
    return Language(code, Locale.parse(code), MappingProxyType(messages))
