"""Checks the names that a policy uses: services, operators, countries, groups, its own rule ids.

It walks the parsed file and not the model, so that a wrong name and a wrong type elsewhere are
reported in one go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sovproxy.decide.ladder import RUNGS
from sovproxy.decide.policy import NO_ALTERNATIVE
from sovproxy.decide.verdict import NEVER_EXCEPTED
from sovproxy.policy import zones
from sovproxy.policy.fields import DEFAULT
from sovproxy.policy.known import near_miss

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sovproxy.errors import Problem
    from sovproxy.policy.known import Known
    from sovproxy.yamlfile import Document, Loc

RESERVED = frozenset({name for name, _ in RUNGS} | NEVER_EXCEPTED | {"exception"})
"""Ids that verdicts use for decisions of the ladder itself."""

_SHOWN = 64


def check_blanks(document: Document) -> list[Problem]:
    """Every key and list item without a value: a condition left blank would fit everything."""
    message = "has no value; give it one, or leave it out"
    return [document.problem(loc, message) for loc in _blanks(document.value, ()) if loc]


def _blanks(value: object, loc: Loc) -> Iterator[Loc]:
    if value is None:
        yield loc
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _blanks(item, (*loc, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _blanks(item, (*loc, index))


def check_references(document: Document, known: Known) -> list[Problem]:
    """Every name in the policy that stands for nothing, with a near miss where there is one."""
    root = _mapping(document.value)
    checker = _Checker(document, known, frozenset(_mapping(root.get("groups"))))
    checker.check_trust_zone(root.get("trust_zone"))
    checker.check_inspection(root)
    rules = root.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        checker.check_rule(_mapping(rule), ("rules", index))
    return checker.problems


@dataclass(slots=True)
class _Checker:
    document: Document
    known: Known
    groups: frozenset[str]
    zone: frozenset[str] = frozenset()
    rules: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def check_trust_zone(self, value: object) -> None:
        self.zone = self._check_countries(value, ("trust_zone",), relative=False)

    def check_inspection(self, root: dict[str, object]) -> None:
        full, level = root.get("full"), root.get("inspection")
        if level == "full" and full is None:
            self._add(
                ("inspection",),
                "is `full`, but its terms are missing: add `full:` with the `purpose` in it",
            )
        if level != "full" and full is not None:
            self._add(("full",), "has the terms of `inspection: full`, which this policy is not")
        for place, word in _words(_mapping(full).get("never"), ("full", "never")):
            if word != DEFAULT:
                kind = "a category of `undecrypted.yaml`"
                self._check_word(word, place, self.known.undecrypted, kind)

    def check_rule(self, rule: dict[str, object], loc: Loc) -> None:
        self._check_id(rule.get("id"), (*loc, "id"))
        self._check_alternative(rule.get("alternative"), (*loc, "alternative"))
        when = _mapping(rule.get("when"))
        for key, names, kind in self._vocabularies():
            for place, word in _words(when.get(key), (*loc, "when", key)):
                self._check_word(word, place, names, kind)
        for key in ("control", "location"):
            self._check_countries(when.get(key), (*loc, "when", key), relative=True)

    def _vocabularies(self) -> tuple[tuple[str, Collection[str], str], ...]:
        return (
            ("service", self.known.services, "a service of the catalogue"),
            ("category", self.known.categories, "a category of the catalogue"),
            ("operator", self.known.operators, "an operator of the atlas"),
            ("power", self.known.powers, "a power of the atlas"),
            ("group", self.groups, "a group of this policy"),
        )

    def _check_id(self, value: object, loc: Loc) -> None:
        if not isinstance(value, str):
            return
        if value in self.rules:
            self._add(loc, f"{_shown(value)} is the id of an earlier rule; each rule has its own")
        elif value in RESERVED:
            self._add(loc, f"{_shown(value)} names a decision of sovproxy itself; take another")
        self.rules.add(value)

    def _check_alternative(self, value: object, loc: Loc) -> None:
        if isinstance(value, str) and value != NO_ALTERNATIVE:
            kind = f"a service of the catalogue, nor `{NO_ALTERNATIVE}`"
            self._check_word(value, loc, self.known.services, kind)

    def _check_word(self, word: str, loc: Loc, names: Collection[str], kind: str) -> None:
        if word not in names:
            hint = near_miss(word, names) or (
                "" if names else "; there is none" if kind.endswith("policy") else ""
            )
            self._add(loc, f"{_shown(word)} is not {kind}{hint}")

    def _check_countries(self, value: object, loc: Loc, *, relative: bool) -> frozenset[str]:
        words = list(_words(value, loc))
        wrong = [(at, zones.problem_with(word, relative=relative), word) for at, word in words]
        wrong = [item for item in wrong if item[1]]
        for place, message, word in wrong:
            self._add(place, f"{_shown(word)} {message}")
        if wrong or not words or (relative and not self.zone):
            return frozenset()
        found = zones.expand((word for _, word in words), self.zone)
        if not found:
            self._add(loc, "leaves no country at all, and so fits nothing")
        return found

    def _add(self, loc: Loc, message: str) -> None:
        self.problems.append(self.document.problem(loc, message))


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _words(value: object, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """The texts in a value or in a list of values, with their places; the rest is skipped."""
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, str):
                yield (*loc, index), item


def _shown(word: str) -> str:
    return repr(word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…")
