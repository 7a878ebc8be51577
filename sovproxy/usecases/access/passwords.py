"""Passwords: what is accepted, and how they are kept.

Rules by NIST SP 800-63B §5.1.1 and OWASP ASVS V2.1: length and guessability count, nothing else.
Guessability is zxcvbn's estimate, which knows the most common passwords, names, keyboard walks,
dates and repetitions; what people here would think of first is added to its words.
"""

from __future__ import annotations

import threading
import unicodedata
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from zxcvbn_rs_py import zxcvbn

from sovproxy.errors import SovproxyError
from sovproxy.prompt.languages import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 128
MIN_SCORE: Final = 3  # of 4: more than 10^8 guesses
AT_ONCE: Final = 2  # hashes that are made at the same time: each takes 64 MiB and a core

TOO_SHORT: Final = mark("The password needs at least 12 characters.")
TOO_LONG: Final = mark("The password may have 128 characters at most.")
TOO_COMMON: Final = mark(
    "This password would be guessed soon. Several words that do not belong together are good."
)

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_seats = threading.BoundedSemaphore(AT_ONCE)
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$Wb1yIuMKkeV/EH4skb2ilA$"
    "SBHviSGzjgrCaQIdwu8CkaEsGe08ZWdVwnryUvkknJI"
)
"""No password is known to have this hash; it costs what a real one costs."""

# What a guesser tries here before any dictionary; our own choice.
_LOCAL_WORDS: Final = tuple(
    """
    sovproxy console proxy admin administrateur administrator administration motdepasse
    mot de passe passe secret secrete bonjour soleil azerty qwertz azertyuiop doudou chouchou loulou
    marseille paris lyon france french ministere prefecture mairie commune departement region etat
    gouvernement gouv republique liberte egalite fraternite visio tchap proconnect
    passwort kennwort hallo willkommen sommer winter fruehling herbst berlin deutschland verwaltung
    kodeord adgangskode velkommen danmark kobenhavn sommer2026 kommune
    janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
    """.split()  # noqa: SIM905  # a list of words reads best as words
)


class WeakPassword(SovproxyError):
    """A password that is not accepted; the text says why, in English, ready for translation."""


def normal(password: str) -> str:
    """The password as it is hashed: NFC, so that every keyboard gives the same characters."""
    return unicodedata.normalize("NFC", password)


def require_good(password: str, about: Sequence[str] = ()) -> None:
    """Raise WeakPassword unless the password may be used; `about` is what is known of its owner."""
    text = normal(password)
    if len(text) < MIN_LENGTH:
        raise WeakPassword(TOO_SHORT)
    if len(text) > MAX_LENGTH:
        raise WeakPassword(TOO_LONG)
    words = [*_LOCAL_WORDS, *(word[:64] for word in about if word)]
    if int(zxcvbn(_plain(text), words).score) < MIN_SCORE:
        raise WeakPassword(TOO_COMMON)


def hash_password(password: str) -> str:
    """The argon2id hash, by the low-memory parameters of RFC 9106: 64 MiB, 3 passes, 4 lanes."""
    with _seats:
        return _hasher.hash(normal(password))


def verify_password(stored: str, password: str) -> bool:
    """Whether a password fits a stored hash; without one the work is the same, and it does not."""
    text = normal(password) if len(password) <= 4 * MAX_LENGTH else ""
    try:
        with _seats:
            return _hasher.verify(stored or _NOBODY, text) and bool(stored) and bool(text)
    except (VerificationError, InvalidHashError):
        return False


def needs_rehash(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _plain(text: str) -> str:
    """Without accents and capitals, as guessers would: `Été` is no better than `ete`."""
    bare = unicodedata.normalize("NFD", text)
    return "".join(char for char in bare if not unicodedata.combining(char))
