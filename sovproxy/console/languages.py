"""The languages of the console: the prompt's way of gettext, over the console's own texts.

English texts stand in templates and code; `translations/<code>.po` holds every other language.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING

from babel.messages.pofile import read_po

from sovproxy.prompt.languages import Language, language_for, language_named

if TYPE_CHECKING:
    from sovproxy.prompt.languages import Messages

COOKIE = "sovproxy_language"
"""Holds the language that a person chose; it says nothing else."""


@cache
def languages() -> tuple[Language, ...]:
    """The languages of the console: English, then the others by code."""
    folder = files("sovproxy.console") / "translations"
    codes = sorted(item.name.removesuffix(".po") for item in folder.iterdir() if _is_po(item.name))
    english = language_named("en")
    return (Language(english.code, english.locale), *(_read(code) for code in codes))


def pick_language(chosen: str, accept_language: str, policy_language: str) -> Language:
    """The language that was chosen, else the browser's, else the policy's, else English."""
    by_code = {language.code: language for language in languages()}
    wanted = (chosen, language_for(accept_language, policy_language).code, policy_language)
    return next((by_code[code] for code in wanted if code in by_code), languages()[0])


def _is_po(name: str) -> bool:
    return name.endswith(".po")


def _read(code: str) -> Language:
    file = files("sovproxy.console") / "translations" / f"{code}.po"
    messages = _messages(file.read_bytes(), code)
    return Language(code, language_named(code).locale, messages)


def _messages(content: bytes, code: str) -> Messages:
    catalog = read_po(BytesIO(content), locale=code, abort_invalid=True)
    return MappingProxyType(
        {
            (entry.context or "", str(entry.id)): str(entry.string)
            for entry in catalog
            if entry.id and entry.string and not entry.fuzzy
        }
    )
