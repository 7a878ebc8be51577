"""Text that others chose (host names, reasons), made harmless: bounded, nothing invisible in it.

Terminals obey control characters, bidirectional marks reorder what a person reads, and PostgreSQL
refuses NUL; so all of them are replaced by something that can be seen. Cleaning twice changes
nothing more.
"""

from __future__ import annotations

import unicodedata

_PICTURES = 0x2400
_SUBSTITUTES = {code: chr(_PICTURES + code) for code in range(0x20)} | {0x7F: "\u2421"}


def visible(text: str) -> str:
    """Replace every character that is not printable: C0 by its picture, others by `<U+202E>`.

    Spaces of every width stay (French puts a narrow one before `:`).
    """
    if text.isprintable():
        return text
    return "".join(_visible_character(character) for character in text)


def clean_text(text: str, limit: int) -> str:
    """Make `text` visible and at most `limit` characters long; a cut is shown by `…`."""
    shown = visible(text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _visible_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return _SUBSTITUTES.get(ord(character)) or f"<U+{ord(character):04X}>"
