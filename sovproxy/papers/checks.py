"""The self-check: where the configuration departs from recommendations, and why that matters.

It never says that something is lawful. What it finds, a person has to judge; what it does not find,
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.papers.compose import pieces_of, readings
from sovproxy.papers.texts import all_hold, checks_text
from sovproxy.prompt.languages import language_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.papers.facts import Fact, Facts, Reading
    from sovproxy.papers.texts import CheckText
    from sovproxy.prompt.languages import Language


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is departed from. `known`: `primary`, `secondary` (read it before relying on it) or
    `ours`."""

    title: str
    known: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `level` is `departs`, or `look` where a person has to judge."""

    id: str
    level: str
    finds: str
    why: str
    do: str
    recommendations: tuple[Recommendation, ...]
    sources: tuple[Fact, ...]


def check(facts: Facts, code: str) -> list[Finding]:
    """All findings in one language: departures first, then what is to be judged."""
    found = [
        item for text in checks_text().checks for item in _find(text, facts, language_named(code))
    ]
    return sorted(found, key=lambda item: item.level != "departs")


def _find(text: CheckText, facts: Facts, language: Language) -> Iterator[Finding]:
    for reading in readings(text, facts):
        if all_hold(text.when, reading):
            yield _finding(text, reading, language)


def _finding(text: CheckText, reading: Reading, language: Language) -> Finding:
    code, known = language.code, checks_text().references
    references = (known[name] for name in text.references)
    return Finding(
        id=text.id,
        level=text.level,
        finds=_filled(text.finds.get(code), reading, language),
        why=_filled(text.why.get(code), reading, language),
        do=_filled(text.do.get(code), reading, language),
        recommendations=tuple(
            Recommendation(item.title.get(code), item.known) for item in references
        ),
        sources=tuple(reading.read.values()),
    )


def _filled(text: str, reading: Reading, language: Language) -> str:
    return "".join(piece.text for piece in pieces_of(text, reading, language))
