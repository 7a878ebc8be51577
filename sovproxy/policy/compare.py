"""How one policy text differs from another: its lines, and what that means rule by rule."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from sovproxy.errors import InvalidFile
from sovproxy.yamlfile import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_LINES: Final = 2000
"""Longer stretches that differ are shown whole, as taken out and put in: comparing them line by
line takes time that grows with the square of their length."""

_CONTEXT: Final = 3

type Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ChangedRule:
    """A rule that is in both texts: the keys whose values differ, and whether it stands elsewhere.

    `moved` is true for rules that others have overtaken or been overtaken by.
    """

    id: str
    keys: tuple[str, ...] = ()
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs: rules by id, other keys of the policy, and the lines as a unified diff.

    `readable` is false when one of the texts is no policy, so that only lines can be compared.
    """

    lines: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[ChangedRule, ...] = ()
    keys: tuple[str, ...] = ()
    readable: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether the texts are the same."""
        return not self.lines


@dataclass(slots=True)
class _Read:
    """A policy as far as it can be read without judging it."""

    rules: dict[str, Json] = field(default_factory=dict)
    others: Json = field(default_factory=dict)


def compare(old: str, new: str, old_name: str, new_name: str) -> Difference:
    """Compare two texts; the names stand at the head of the lines."""
    lines = tuple(unified(old, new, old_name, new_name))
    before, after = _read(old), _read(new)
    if before is None or after is None:
        return Difference(lines, readable=False)
    common = [id_ for id_ in before.rules if id_ in after.rules]
    moved = _moved(common, [id_ for id_ in after.rules if id_ in before.rules])
    changed = (
        ChangedRule(id_, _keys(before.rules[id_], after.rules[id_]), id_ in moved) for id_ in common
    )
    return Difference(
        lines,
        added=tuple(id_ for id_ in after.rules if id_ not in before.rules),
        removed=tuple(id_ for id_ in before.rules if id_ not in after.rules),
        changed=tuple(rule for rule in changed if rule.keys or rule.moved),
        keys=_keys(before.others, after.others),
    )


def unified(old: str, new: str, old_name: str, new_name: str) -> Iterator[str]:
    """The lines of a unified diff. Nothing of a line is changed; the caller makes it printable."""
    before, after = old.split("\n"), new.split("\n")
    start = _same(before, after)
    end = _same(before[start:][::-1], after[start:][::-1])
    middle = max(len(before), len(after)) - start - end
    if middle <= MAX_LINES:
        yield from difflib.unified_diff(before, after, old_name, new_name, lineterm="", n=_CONTEXT)
        return
    out, put = before[start : len(before) - end], after[start : len(after) - end]
    yield from (f"--- {old_name}", f"+++ {new_name}")
    yield f"@@ -{start + 1},{len(out)} +{start + 1},{len(put)} @@"
    yield from (f"-{line}" for line in out)
    yield from (f"+{line}" for line in put)


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _read(text: str) -> _Read | None:
    try:
        value = parse(text, "").value
    except InvalidFile:
        return None
    if not isinstance(value, dict):
        return None
    found = _Read(others={key: item for key, item in value.items() if key != "rules"})
    rules = value.get("rules")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and isinstance(rule.get("id"), str):
            found.rules[rule["id"]] = cast("Json", rule)
    return found


def _keys(before: Json, after: Json) -> tuple[str, ...]:
    """The keys whose values differ, in the order of the texts; those of `when` by themselves."""
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return tuple(part for key in keys for part in _parts(key, before.get(key), after.get(key)))


def _parts(key: str, before: object, after: object) -> Iterator[str]:
    if key == "when" and isinstance(before, dict) and isinstance(after, dict):
        yield from (f"when.{part}" for part in _keys(before, after))
    else:
        yield key


def _moved(before: list[str], after: list[str]) -> frozenset[str]:
    """The ids that are out of order: all but a longest run that both have in the same order."""
    places = {id_: at for at, id_ in enumerate(before)}
    ends: list[int] = []
    tails: list[str] = []
    previous: dict[str, str] = {}
    for id_ in after:
        at = bisect_left(ends, places[id_])
        if at:
            previous[id_] = tails[at - 1]
        ends[at : at + 1], tails[at : at + 1] = [places[id_]], [id_]
    staying = set()
    id_ = tails[-1] if tails else ""
    while id_:
        staying.add(id_)
        id_ = previous.get(id_, "")
    return frozenset(after) - staying
