"""Text that others chose, made fit to be shown: hosts, addresses, links.

Templates escape HTML; this module takes care of what escaping leaves: characters that cannot be
seen or that turn the line around, names that look like others, and absurd lengths.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

import idna

MAX_SHOWN = 256
"""Characters of a host that are shown at all; a DNS name has at most 253."""

MAX_SHORT = 48
"""Characters of a host that stand in a heading or a sentence."""

_MARKS = ("Mn", "Me")


@dataclass(frozen=True, slots=True)
class ShownHost:
    """A host for human eyes.

    `full` is its ASCII form (or the escaped input when it has none), `unicode` the form that people
    read, when it differs. `short` fits a heading: its end is kept, because the end of a host name
    says whose it is.
    """

    full: str
    short: str
    unicode: str = ""


def show_host(raw: str) -> ShownHost:
    """Make any text a client sent as a host fit to be shown."""
    text = raw[: MAX_SHOWN + 1]
    ascii_form, unicode_form = _both_forms(text)
    full = _bounded(printable(ascii_form))
    return ShownHost(full, _shortened(full), _shortened(unicode_form))


def printable(text: str) -> str:
    """Replace what cannot be seen, turns the line or piles up on a letter by its code point."""
    return "".join(char if _is_plain(char) else f"⟨U+{ord(char):04X}⟩" for char in text)


def safe_link(url: str) -> str:
    """The URL if it is an absolute http(s) one without credentials, else an empty text."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None
    except ValueError:
        return ""
    return url if fits and url == printable(url) and " " not in url else ""


def safe_path(path: str) -> str:
    """The path if it stays on its own origin (one leading slash, nothing odd), else empty."""
    stays = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if stays and path == printable(path) and " " not in path else ""


def _both_forms(text: str) -> tuple[str, str]:
    """The ASCII form and, where it differs and is well formed, the Unicode form."""
    try:
        unicode_form = idna.decode(text)
        ascii_form = idna.encode(unicode_form).decode("ascii")
    except (idna.IDNAError, UnicodeError, IndexError, ValueError):
        return text, ""
    return ascii_form, "" if unicode_form == ascii_form else unicode_form


def _is_plain(char: str) -> bool:
    category = unicodedata.category(char)
    return char == " " or not (category[0] in "CZ" or category in _MARKS)


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SHORT else "…" + text[1 - MAX_SHORT :]
