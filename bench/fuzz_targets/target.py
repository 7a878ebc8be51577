"""What a fuzzer needs to know of a parser: how to feed it, and where to begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Target:
    """One parser of bytes from outside, with claims that hold for every input.

    `check` raises where a claim does not hold; what it means to refuse it swallows itself. `words`
    are pieces that the format is made of. `share` is how many of a thousand inputs it gets.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    share: int
    words: tuple[bytes, ...] = ()
    max_length: int = 2048


def text_of(data: bytes) -> str:
    """Bytes as text: every text can come out, halves of surrogate pairs too."""
    return data.decode("utf-8", "surrogateescape")


def require(fits: bool, claim: str, *facts: object) -> None:
    """Raise AssertionError where a claim does not hold. (A plain assert goes under `-O`.)"""
    if not fits:
        raise AssertionError(f"{claim}: {facts!r}")
