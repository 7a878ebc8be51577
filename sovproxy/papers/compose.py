"""From facts to a paper: every sentence with the facts that it was made from, every gap counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovproxy.errors import SovproxyError
from sovproxy.papers.facts import Reading
from sovproxy.papers.forms import is_count, shape
from sovproxy.papers.texts import all_hold, paper_text, words
from sovproxy.prompt.languages import language_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.papers.facts import Fact, Facts
    from sovproxy.papers.texts import CheckText, PaperKind, Section, Sentence
    from sovproxy.prompt.languages import Language

_PLACE: Final = re.compile(r"\{([a-z0-9_.-]+)(?::([^{}]+))?\}")


class UnbackedSentence(SovproxyError):
    """A sentence reports no fact: it would be a claim of ours, and is refused."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence. Where something is missing, `gap` says what belongs there.

    `lang` is set if the text is in another language than the paper.
    """

    text: str
    gap: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence in one language, in its pieces, with the facts that it was made from."""

    id: str
    pieces: tuple[Piece, ...]
    sources: tuple[Fact, ...]

    @property
    def text(self) -> str:
        """The whole sentence."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is to be filled in."""
        return tuple(piece.gap for piece in self.pieces if piece.gap)


@dataclass(frozen=True, slots=True)
class Chapter:
    """A section as it is written: without sentences it is left out."""

    id: str
    title: str
    form: str
    sentences: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A whole paper in one language."""

    kind: PaperKind
    language: Language
    title: str
    chapters: tuple[Chapter, ...]

    @property
    def sentences(self) -> tuple[Written, ...]:
        """All sentences in their order."""
        return tuple(sentence for chapter in self.chapters for sentence in chapter.sentences)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is to be filled in, each once, in the order of the paper."""
        found = (gap for sentence in self.sentences for gap in sentence.gaps)
        return tuple(dict.fromkeys(found))

    @property
    def sources(self) -> Mapping[str, int]:
        """The number of each fact that is cited, by its key, from 1 in the order of the paper."""
        keys = (fact.key for sentence in self.sentences for fact in sentence.sources)
        return {key: number for number, key in enumerate(dict.fromkeys(keys), 1)}

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts that are cited, in the order of their numbers."""
        found = (fact for sentence in self.sentences for fact in sentence.sources)
        return tuple({fact.key: fact for fact in found}.values())


def compose(kind: PaperKind, facts: Facts, code: str) -> Paper:
    """Write a paper in one language. Raises UnknownFact, UnbackedSentence."""
    text, language = paper_text(kind), language_named(code)
    chapters = (_chapter(section, facts, language) for section in text.sections)
    return Paper(
        kind=kind,
        language=language,
        title=text.title.get(code),
        chapters=tuple(chapter for chapter in chapters if chapter.sentences),
    )


def _chapter(section: Section, facts: Facts, language: Language) -> Chapter:
    written = (each for item in section.sentences for each in _write(item, facts, language))
    return Chapter(section.id, section.title.get(language.code), section.form, tuple(written))


def _write(sentence: Sentence, facts: Facts, language: Language) -> Iterator[Written]:
    """The sentence, as often as it is to be said."""
    for reading in readings(sentence, facts):
        if all_hold(sentence.when, reading):
            pieces = pieces_of(sentence.get(language.code), reading, language)
            if not reading.read:
                raise UnbackedSentence(f"the sentence {sentence.id} reports no fact")
            yield Written(sentence.id, pieces, tuple(reading.read.values()))


def readings(sentence: Sentence | CheckText, facts: Facts) -> Iterator[Reading]:
    """A reader for each time that a text is asked for: one, or one for each item of a list."""
    if not sentence.each:
        yield Reading(facts)
        return
    items = facts[sentence.each]
    for item in items.value if isinstance(items.value, tuple) else ():
        yield Reading(facts, sentence.each, item, {sentence.each: items})


def pieces_of(text: str, reading: Reading, language: Language) -> tuple[Piece, ...]:
    """Fill a text. What is empty becomes a gap. Raises UnknownFact."""
    pieces, last = list[Piece](), 0
    for place in _PLACE.finditer(text):
        pieces.append(Piece(text[last : place.start()]))
        pieces.append(_piece(reading.fact(place[1]), place[2] or "", language))
        last = place.end()
    pieces.append(Piece(text[last:]))
    return tuple(piece for piece in pieces if piece.text)


def _piece(fact: Fact, form: str, language: Language) -> Piece:
    code = language.code
    if fact.is_empty and not is_count(form):
        gap = words().say("gap", fact.key, code)
        return Piece(words().say("other", "gap", code) % gap, gap)
    return Piece(shape(fact.value, form, language, words()), lang=_foreign(fact, code))


def _foreign(fact: Fact, code: str) -> str:
    """The language of a text that there is in another one only."""
    value = fact.value
    if not isinstance(value, Mapping) or code in value:
        return ""
    return next(iter(value))
