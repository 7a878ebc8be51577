"""Small changes to a policy's text that leave everything else as it is, comments and all.

The text is cut at the places that the YAML parser gives for its values. Afterwards the new text is
read again and compared with what was wanted: a change that would come out otherwise is refused.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import yaml

from sovproxy.errors import SovproxyError
from sovproxy.events.text import clean_text
from sovproxy.yamlfile import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

type Path = Sequence[str]

_FILE: Final = "draft"
_WIDE: Final = 10_000
_STEP: Final = 2
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CannotEdit(SovproxyError):
    """The text cannot be changed in this way; its author has to write the change."""


def rule_ids(text: str) -> list[str]:
    """The ids of the rules in their order. Raises InvalidFile."""
    return [str(rule.get("id", "")) for rule in _rules(_value(text))]


def with_rule(text: str, rule: Mapping[str, object], position: int) -> str:
    """Insert a rule before the one at `position` (from 0); at the end if there are not so many.

    Raises InvalidFile when the text is no YAML of ours, CannotEdit.
    """
    wanted = _value(text)
    rules = list(_rules(wanted))
    at = min(max(position, 0), len(rules))
    rules.insert(at, dict(rule))
    wanted["rules"] = rules
    return _proved(_insert(text, rule, at), wanted)


def with_value(text: str, rule_id: str, path: Path, value: object) -> str:
    """Set a value of a rule, such as `("when", "group")`; None takes the key out.

    Raises InvalidFile when the text is no YAML of ours, CannotEdit.
    """
    wanted = _value(text)
    index = next((at for at, id_ in enumerate(rule_ids(text)) if id_ == rule_id), None)
    if index is None:
        raise CannotEdit(f"there is no rule {clean_text(rule_id, 64)} in this text")
    _set(_rules(wanted)[index], path, value)
    return _proved(_cut(text, index, path, value), wanted)


def value_of(text: str, rule_id: str, path: Path) -> object:
    """The value at a place of a rule, None if there is none. Raises InvalidFile, CannotEdit."""
    rules = _rules(_value(text))
    place: object = next((rule for rule in rules if str(rule.get("id", "")) == rule_id), None)
    for key in path:
        place = place.get(key) if isinstance(place, dict) else None
    return place


def group_ids(text: str) -> list[str]:
    """The ids of the groups. Raises InvalidFile, CannotEdit."""
    groups = _value(text).get("groups")
    return sorted(map(str, groups)) if isinstance(groups, dict) else []


def _value(text: str) -> dict[str, object]:
    value = parse(text, _FILE).value
    if not isinstance(value, dict):
        raise CannotEdit("the text holds no policy")
    return cast("dict[str, object]", copy.deepcopy(value))


def _rules(value: dict[str, object]) -> list[dict[str, object]]:
    rules = value.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise CannotEdit("`rules` is no list of rules")
    return cast("list[dict[str, object]]", rules)


def _set(rule: dict[str, object], path: Path, value: object) -> None:
    place: object = rule
    for key in path[:-1]:
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise CannotEdit(f"the rule has no `{'.'.join(path[:-1])}`")
    if value is None:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value


def _proved(text: str, wanted: object) -> str:
    """The text, if it says what was wanted. Raises CannotEdit, InvalidFile."""
    if parse(text, _FILE).value != parse(_flow(wanted), _FILE).value:
        raise CannotEdit("the text is written in a way that cannot be changed from here")
    return text


def _flow(value: object) -> str:
    """A value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=_WIDE)
    return text.removesuffix("\n").removesuffix("\n...").strip()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the text to be replaced."""

    start: int
    end: int
    new: str

    def of(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def _cut(text: str, index: int, path: Path, value: object) -> str:
    """Replace, add or take out the key at the end of the path."""
    node = _at(_root(text), ("rules",))
    place: yaml.Node | None = node.value[index] if isinstance(node, yaml.SequenceNode) else None
    place = _at(place, path[:-1])
    if not isinstance(place, yaml.MappingNode):
        raise CannotEdit("`rules` is no list of rules")
    found = next((pair for pair in place.value if pair[0].value == path[-1]), None)
    if value is None:
        return _without(text, place, found).of(text) if found else text
    if found:
        start, end = found[1].start_mark.index, _end(text, found[1])
        return _Piece(start, end, _flow(value)).of(text)
    return _added(text, place, f"{path[-1]}: {_flow(value)}").of(text)


def _root(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=_Loader)


def _at(node: yaml.Node | None, path: Path) -> yaml.Node | None:
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for name, value in pairs if name.value == key), None)
    return node


def _end(text: str, node: yaml.Node) -> int:
    """Where a value ends. The parser puts the end of blocks behind comments and empty lines."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    end = int(node.end_mark.index)
    return int(node.start_mark.index) + len(text[node.start_mark.index : end].rstrip())


def _added(text: str, place: yaml.MappingNode, entry: str) -> _Piece:
    """Put an entry behind the last one: on a line of its own, or before the closing brace."""
    end = _end(text, place)
    if place.flow_style:
        inside = text[place.start_mark.index : end - 1].rstrip()
        behind = place.start_mark.index + len(inside)
        return _Piece(behind, end - 1, (", " if place.value else "") + entry)
    after = _line_end(text, end)
    indent = " " * place.value[0][0].start_mark.column
    return _Piece(after, after, f"\n{indent}{entry}")


def _without(text: str, place: yaml.MappingNode, found: tuple[yaml.Node, yaml.Node]) -> _Piece:
    """Take an entry out: with its lines in a block, with its comma between braces."""
    at = place.value.index(found)
    start, end = int(found[0].start_mark.index), _end(text, found[1])
    if place.flow_style:
        if at + 1 < len(place.value):
            return _Piece(start, int(place.value[at + 1][0].start_mark.index), "")
        before = _end(text, place.value[at - 1][1]) if at else start
        return _Piece(before, end, "")
    after = _line_end(text, end)
    if at == 0:  # the first stands behind the dash of the list: what follows moves up
        if len(place.value) == 1:
            raise CannotEdit("it is the only key there")
        return _Piece(start, int(place.value[1][0].start_mark.index), "")
    line = text.rfind("\n", 0, start)
    return _Piece(line, after, "")


def _line_end(text: str, index: int) -> int:
    """The end of the line, behind a comment that stands in it."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found


def _insert(text: str, rule: Mapping[str, object], at: int) -> str:
    node = _at(_root(text), ("rules",))
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _into_block(text, node, rule, at).of(text)
    if node is None:
        end = len(text.rstrip())
        return _Piece(end, len(text), f"\n\nrules:\n{_block(rule, _STEP)}\n").of(text)
    if node.value:
        raise CannotEdit("`rules` is written in brackets; write one rule per line first")
    start, end = int(node.start_mark.index), _end(text, node)
    return _Piece(start, max(start, end), f"\n{_block(rule, _STEP)}").of(text)


def _into_block(text: str, node: yaml.SequenceNode, rule: Mapping[str, object], at: int) -> _Piece:
    indent = int(node.start_mark.column)
    if at == len(node.value):
        end = _line_end(text, _end(text, node))
        return _Piece(end, end, f"\n{_block(rule, indent)}")
    dash = text.rfind("\n", 0, text.rfind("-", 0, int(node.value[at].start_mark.index))) + 1
    start = _above_comments(text, dash, indent)
    return _Piece(start, start, f"{_block(rule, indent)}\n")


def _above_comments(text: str, line: int, indent: int) -> int:
    """The start of the comment lines that stand directly above a line, as deep as it is."""
    while line:
        before = text.rfind("\n", 0, line - 1) + 1
        if not text[before:line].startswith(" " * indent + "#"):
            return line
        line = before
    return line


def _block(rule: Mapping[str, object], indent: int) -> str:
    """A rule in the lines of a list."""
    lines = [f"{key}: {_flow(value)}" for key, value in rule.items()]
    first, *others = lines
    space = " " * indent
    return "\n".join([f"{space}- {first}", *(f"{space}  {line}" for line in others)])
