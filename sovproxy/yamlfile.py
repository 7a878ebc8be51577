"""Strict YAML: a file becomes a pydantic model, or errors with file, line, column and reason.

Aliases, anchors, tags and repeated keys are refused (they hide things from a reviewer, and nested
aliases are the classic YAML bomb); so are files over 4 MiB. Only `true` and `false` are booleans:
YAML 1.1 would read the country code NO as false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import yaml
from pydantic import BaseModel, ValidationError

from sovproxy.errors import InvalidFile, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pydantic_core import ErrorDetails

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
MAX_DIGITS = 40
"""Of a whole number; in base 60 (YAML 1.1) many digits take minutes to read."""

type Loc = tuple[str | int, ...]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """A parsed YAML file: its plain value, and the line and column of every node in it."""

    file: str
    value: object = None
    places: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, loc: Loc, message: str) -> Problem:
        """Make a problem at `loc`, or at its nearest parent that has a place in the file."""
        near = loc
        while near and near not in self.places:
            near = near[:-1]
        line, column = self.places.get(near, (0, 0))
        return Problem(self.file, line, column, path_text(loc), message)


def path_text(loc: Iterable[str | int]) -> str:
    """Write a path as people do: `rules[2].action`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse(text: str, file: str) -> Document:
    """Parse YAML text; `file` is the name shown in errors. Raises InvalidFile."""
    document = Document(file)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        message = f"has half a surrogate pair (character {error.start}), which is no text"
        raise InvalidFile([Problem(file, 0, 0, "", message)]) from None
    if size > MAX_BYTES:
        raise InvalidFile([Problem(file, 0, 0, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        _refuse_tricks(text, document)
        node = None if document.problems else yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidFile([_syntax_problem(error, file)]) from None
    except RecursionError:
        raise InvalidFile([Problem(file, 0, 0, "", "is nested too deeply")]) from None
    if not document.problems and node is not None:
        document.value = _build(node, (), document)
    if document.problems:
        raise InvalidFile(document.problems)
    return document


def read(path: Path) -> Document:
    """Read and parse a file. Raises InvalidFile, also when the file is missing or not UTF-8."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidFile([Problem(str(path), 0, 0, "", f"is larger than {MAX_BYTES} bytes")])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidFile(
            [Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}")]
        ) from None
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start})"
        raise InvalidFile([Problem(str(path), 0, 0, "", message)]) from None
    return parse(text, str(path))


def validate[M: BaseModel](document: Document, model: type[M]) -> M:
    """Make a model from a document. Raises InvalidFile with every problem and its place."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise InvalidFile([_model_problem(document, item) for item in error.errors()]) from None


def read_model[M: BaseModel](path: Path, model: type[M]) -> M:
    """Read, parse and validate one file in one go. Raises InvalidFile."""
    return validate(read(path), model)


def _refuse_tricks(text: str, document: Document) -> None:
    """Note the first thing that we do not take, before anything is built from the text."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        objection = _objection(event, depth)
        if objection:
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            document.problems.append(Problem(document.file, line, column, "", objection))
            return


def _objection(event: yaml.Event, depth: int) -> str:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "anchors and aliases are not allowed; write the value out"
    if getattr(event, "tag", None) is not None:
        return "tags are not allowed; write a plain value"
    return f"is nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else ""


def _syntax_problem(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = f"is not valid YAML: {getattr(error, 'problem', None) or error}"
    return Problem(file, mark.line + 1 if mark else 0, mark.column + 1 if mark else 0, "", message)


def _place(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _build(node: yaml.Node, loc: Loc, document: Document) -> object:
    document.places[loc] = _place(node)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, loc, document)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*loc, index), document) for index, item in enumerate(node.value)]
    return _build_scalar(node, loc, document)


def _build_mapping(node: yaml.MappingNode, loc: Loc, document: Document) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = (*loc, key)
        if key in result:
            document.places[place] = _place(key_node)
            document.problems.append(document.problem(place, "this key stands here twice"))
            continue
        result[key] = _build(value_node, place, document)
        document.places[place] = _place(key_node)
    return result


def _build_scalar(node: yaml.Node, loc: Loc, document: Document) -> object:
    if node.tag.endswith(":str"):
        return str(node.value)
    if node.tag.endswith(":bool") and node.value.lower() not in {"true", "false"}:
        return str(node.value)
    if node.tag.endswith(":int") and len(node.value) > MAX_DIGITS:
        document.problems.append(document.problem(loc, f"has more than {MAX_DIGITS} digits"))
        return None
    constructor = yaml.constructor.SafeConstructor()
    try:
        return cast("object", constructor.construct_object(node))
    except (yaml.YAMLError, ValueError) as error:
        message = f"is not a value we can read: {getattr(error, 'problem', None) or error}"
        document.problems.append(document.problem(loc, message))
        return None


def _model_problem(document: Document, item: ErrorDetails) -> Problem:
    loc = _known_loc(document, item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "is not a key that is known here"
    elif item["type"] != "missing" and not isinstance(item["input"], (dict, list)):
        message = f"{message}; got {item['input']!r}"
    return document.problem(loc, message)


def _known_loc(document: Document, loc: Loc) -> Loc:
    """Drop the parts that pydantic adds for unions and validators: they are not in the file."""
    known: Loc = ()
    for index, part in enumerate(loc):
        if (*known, part) in document.places or index == len(loc) - 1:
            known = (*known, part)
    return known
