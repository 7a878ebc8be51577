"""A paper as Markdown, its sources as footnotes; and as plain values, for JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sovproxy.papers.texts import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.papers.checks import Finding
    from sovproxy.papers.compose import Chapter, Paper, Piece, Written
    from sovproxy.papers.facts import Fact

type Json = dict[str, Any]

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&$^])|^([-+]|\d+[.)])(?=\s)|(?<=\w)@(?=\w)|://")


def escaped(text: str) -> str:
    """Text of others: nothing in it is markup, a link or a line of its own."""
    plain = " ".join(text.split("\n"))
    return _SPECIAL.sub(_escape, plain)


def _escape(match: re.Match[str]) -> str:
    """A backslash before what is special; what would become a link is broken by an entity."""
    found = match[0]
    if found == "@":
        return "&#64;"
    if found == "://":
        return "&#58;//"
    return f"{found[:-1]}\\{found[-1]}" if match[2] else f"\\{found}"


def to_markdown(paper: Paper) -> str:
    """The whole paper."""
    lines = [f"# {escaped(paper.title)}", ""]
    lines += _gaps(paper)
    for chapter in paper.chapters:
        lines += [f"## {escaped(chapter.title)}", "", *_chapter(chapter, paper.sources), ""]
    code = paper.language.code
    lines += [f"## {words().say('page', 'sources', code)}", ""]
    lines += [f"[^{number}]: {_source(fact, code)}" for number, fact in enumerate(paper.facts, 1)]
    return "\n".join(lines) + "\n"


def _gaps(paper: Paper) -> list[str]:
    code = paper.language.code
    if not paper.gaps:
        return []
    title = words().say("page", "gaps", code)
    return [f"> **{title} ({len(paper.gaps)})**", ">", *_quoted(paper.gaps), ""]


def _quoted(gaps: tuple[str, ...]) -> Iterator[str]:
    return (f"> - {escaped(gap)}" for gap in gaps)


def _chapter(chapter: Chapter, numbers: Mapping[str, int]) -> list[str]:
    sentences = [_sentence(sentence, numbers) for sentence in chapter.sentences]
    if chapter.form == "list":
        return [f"- {sentence}" for sentence in sentences]
    return [" ".join(sentences)]


def _sentence(sentence: Written, numbers: Mapping[str, int]) -> str:
    marks = "".join(f"[^{numbers[fact.key]}]" for fact in sentence.sources)
    return "".join(map(_piece, sentence.pieces)) + marks


def _piece(piece: Piece) -> str:
    return f"**{escaped(piece.text)}**" if piece.gap else escaped(piece.text)


def _source(fact: Fact, code: str) -> str:
    return f"{escaped(fact.place)} = {escaped(fact.shown(code))}"


def to_json(paper: Paper) -> Json:
    """The whole paper as plain values; facts stand with each sentence."""
    return {
        "paper": paper.kind.value,
        "language": paper.language.code,
        "title": paper.title,
        "gaps": list(paper.gaps),
        "sections": [_section(chapter) for chapter in paper.chapters],
    }


def _section(chapter: Chapter) -> Json:
    return {
        "id": chapter.id,
        "title": chapter.title,
        "sentences": [
            {
                "id": sentence.id,
                "text": sentence.text,
                "gaps": list(sentence.gaps),
                "sources": [fact_json(fact) for fact in sentence.sources],
            }
            for sentence in chapter.sentences
        ],
    }


def fact_json(fact: Fact) -> Json:
    """A fact: its key, where it is looked up, and its value."""
    value = fact.value
    if isinstance(value, date):
        plain: object = value.isoformat()
    elif isinstance(value, tuple):
        plain = list(value)
    else:
        plain = dict(value) if isinstance(value, Mapping) else value
    return {"key": fact.key, "place": fact.place, "value": plain}


def finding_json(finding: Finding) -> Json:
    """A finding of the self-check as plain values."""
    return {
        "id": finding.id,
        "level": finding.level,
        "finds": finding.finds,
        "why": finding.why,
        "do": finding.do,
        "recommendations": [
            {"title": item.title, "known": item.known} for item in finding.recommendations
        ],
        "sources": [fact_json(fact) for fact in finding.sources],
    }
