"""The texts of papers and checks: YAML files in `texts/`, each sentence in French and English.

A sentence names the facts that it reports as `{policy.retention.events:days}`, and in `when` those
that it depends on. The files are ours, but are checked as strictly as a policy is.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sovproxy.papers.typography import typographic
from sovproxy.prompt.shown import printable
from sovproxy.yamlfile import parse, validate

if TYPE_CHECKING:
    from sovproxy.papers.facts import Reading, Value


class PaperKind(StrEnum):
    """The three papers."""

    NOTICE = "notice"
    RECORD = "record"
    ASSESSMENT = "assessment"


class PaperLanguage(StrEnum):
    """The languages in which papers are written."""

    FR = "fr"
    EN = "en"


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Both(_Text):
    """One text in both languages."""

    en: str = Field(min_length=1)
    fr: str = Field(min_length=1)

    def get(self, code: str) -> str:
        """The text in one of the two languages."""
        return typographic(self.fr if code == "fr" else self.en, code)


type Scalar = bool | int | str


class Test(_Text):
    """What a value has to be. Every test that is given must hold."""

    __test__ = False  # pytest takes classes with this name for tests

    equals: Scalar | None = Field(default=None, alias="is")
    any: tuple[Scalar, ...] = ()
    differs: Scalar | None = Field(default=None, alias="not")
    above: int | None = None
    below: int | None = None
    empty: bool | None = None
    has: str | None = None
    lacks: tuple[str, ...] = ()

    def holds(self, value: Value) -> bool:
        """Whether a value passes."""
        return all(
            (
                self.equals is None or value == self.equals,
                not self.any or value in self.any,
                self.differs is None or value != self.differs,
                self.above is None or _size(value) > self.above,
                self.below is None or _size(value) < self.below,
                self.empty is None or (value in ("", ()) or value == {}) == self.empty,
                self.has is None or self.has in _items(value),
                not set(self.lacks) & set(_items(value)),
            )
        )


def _size(value: Value) -> int:
    if isinstance(value, int):
        return value
    return 0 if isinstance(value, date) else len(value)


def _items(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _is(value: object) -> object:
    return value if isinstance(value, dict) else {"is": value}


type Conditions = dict[str, Annotated[Test, BeforeValidator(_is)]]


def all_hold(conditions: Conditions, reading: Reading) -> bool:
    """Whether all conditions hold; then all their facts have been read."""
    return all(test.holds(reading.fact(key).value) for key, test in conditions.items())


class Sentence(_Text):
    """One sentence (or two that belong together), with what it depends on.

    With `each`, it is repeated for every item of that list; `it.…` is a fact of the item.
    """

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    when: Conditions = {}
    each: str = ""
    en: str = Field(min_length=1)
    fr: str = Field(min_length=1)

    def get(self, code: str) -> str:
        """The text in one of the two languages."""
        return typographic(self.fr if code == "fr" else self.en, code)


class Section(_Text):
    """Sentences under a heading: as prose, or as the items of a list."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    title: Both
    form: Literal["prose", "list"] = "prose"
    sentences: tuple[Sentence, ...]


class PaperText(_Text):
    """A paper: its title, and its sections."""

    title: Both
    sections: tuple[Section, ...]


class Reference(_Text):
    """A recommendation or law. `known` says how we know what it says."""

    title: Both
    known: Literal["primary", "secondary", "ours"]


class CheckText(_Text):
    """One look of the self-check: when it finds something, what that is, why it matters, what next.

    `departs`: the configuration departs from what `reference` says; `look`: a person has to judge.
    """

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    level: Literal["departs", "look"]
    references: tuple[str, ...] = Field(min_length=1)
    when: Conditions = Field(min_length=1)
    each: str = ""
    finds: Both
    why: Both
    do: Both


class ChecksText(_Text):
    """All looks, and the references that they name."""

    references: dict[str, Reference]
    checks: tuple[CheckText, ...]


class Words(_Text):
    """Words by vocabulary and value; a word that is not there is said as it is."""

    vocabularies: dict[str, dict[str, Both]]

    def say(self, vocabulary: str, word: str, code: str) -> str:
        """The word in a language. Raises KeyError for an unknown vocabulary."""
        both = self.vocabularies[vocabulary].get(word)
        return both.get(code) if both else printable(word)


@cache
def paper_text(kind: PaperKind) -> PaperText:
    """The text of a paper."""
    return _read(kind, PaperText)


@cache
def checks_text() -> ChecksText:
    """The text of the self-check."""
    return _read("checks", ChecksText)


@cache
def words() -> Words:
    """All vocabularies."""
    return _read("words", Words)


def _read[M: BaseModel](name: str, model: type[M]) -> M:
    """Raises InvalidFile."""
    text = (files("sovproxy.papers") / "texts" / f"{name}.yaml").read_text("utf-8")
    return validate(parse(text, f"{name}.yaml"), model)
