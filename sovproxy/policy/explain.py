"""Puts problems of a policy's shape into words an admin can act on: keys nearby, plain types."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from sovproxy.policy.known import near_miss
from sovproxy.policy.schema import PolicyText

if TYPE_CHECKING:
    from sovproxy.errors import Problem
    from sovproxy.yamlfile import Document, Loc

_UNKNOWN_KEY = "is not a key that is known here"

_PLAIN = (
    ("Field required", "is missing"),
    ("Input should be a valid string", "has to be text (in quotes where YAML reads a number)"),
    ("Input should be a valid boolean", "has to be true or false"),
    ("Input should be a valid tuple", "has to be a list"),
    ("Input should be a valid dictionary", "has to be keys with values"),
    ("Dictionary should have at least 1 item after validation, not 0", "is empty"),
    ("Input should be ", "has to be "),
)


def explained(problem: Problem, document: Document) -> Problem:
    """The same problem of the file's shape, in plainer words and with a near miss for a key."""
    where = problem.where.removesuffix(".[key]")
    loc = _loc_of(where)
    if loc and loc[-1] == 0 and loc not in document.places:
        where = where.removesuffix("[0]")
    message = problem.message
    if message == _UNKNOWN_KEY:
        message += _hint(str(loc[-1]) if loc else "", _model_at(loc[:-1]))
    for start, plain in _PLAIN:
        if message.startswith(start):
            message = plain + message.removeprefix(start).removeprefix(" or instance of PolicyText")
            break
    return replace(problem, where=where, message=message)


def _loc_of(where: str) -> Loc:
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", where)
    return tuple(int(index) if index else key for index, key in parts)


def _hint(key: str, model: type[BaseModel]) -> str:
    """Where the key belongs, what it may have been meant to be, or what is known."""
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner and key in inner.model_fields:
            return f"; it belongs under `{name}`"
    return near_miss(key, model.model_fields) or f"; known here: {', '.join(model.model_fields)}"


def _model_at(loc: Loc) -> type[BaseModel]:
    """The model that stands at a place of a policy."""
    model: type[BaseModel] = PolicyText
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = model_in(model.model_fields[part].annotation) or model
    return model


def model_in(annotation: object) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)
