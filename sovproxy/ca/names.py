"""Base names as RFC 5280 §4.2.1.10 has them: each stands for itself and for every name below it.

They are written without a leading dot: OpenSSL would read one as "below only", others refuse it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_NAME = 253
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_fits_name = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}").fullmatch


def is_name(name: str) -> bool:
    """Whether every client reads it as a DNS name that a certificate may hold.

    It has two labels at least: a base name of one would hand out a whole top-level domain.
    """
    return len(name) <= MAX_NAME and bool(_fits_name(name)) and not _ends_in_number(name)


def _ends_in_number(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()  # such a name is an address to a browser


def names_above(name: str) -> Iterator[str]:
    """The name itself, then each name above it: `a.b.c`, `b.c`, `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def is_below(name: str, bases: frozenset[str]) -> bool:
    """Whether one of the base names stands for `name`."""
    return any(above in bases for above in names_above(name))


def shortest(names: Iterable[str]) -> frozenset[str]:
    """The base names that stand for all of `names`: those below another one are left out."""
    found = frozenset(names)
    return frozenset(name for name in found if not is_below(name.partition(".")[2], found))


@dataclass(frozen=True, slots=True)
class Scope:
    """What one issuing CA may speak for: `permitted` without `excluded`, both base names, sorted.

    `label` says to people whose names they are.
    """

    label: str
    permitted: tuple[str, ...]
    excluded: tuple[str, ...] = ()

    def covers(self, host: str) -> bool:
        """Whether a certificate for `host` (in canonical spelling) keeps to this scope."""
        return is_below(host, frozenset(self.permitted)) and not is_below(
            host, frozenset(self.excluded)
        )
