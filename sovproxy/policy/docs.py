"""Documentation made from the models and the profiles, so that it cannot drift from the code."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sovproxy.policy.load import PROFILES, profile_names
from sovproxy.policy.schema import PolicyText
from sovproxy.yamlfile import read_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic.fields import FieldInfo

SCHEMA_FILE = "policy.schema.json"
PAGE_FILE = "policy.md"

_SECTION = "(<!-- {name}: generated -->\n).*?(<!-- /{name} -->)"


def generated(folder: Path) -> dict[str, str]:
    """What `policy.schema.json` and `policy.md` in `folder` have to contain, by file name.

    The page is read, and only what stands between its markers is replaced.
    """
    page = (folder / PAGE_FILE).read_text(encoding="utf-8")
    page = _replace(page, "keys", keys_table())
    page = _replace(page, "profiles", profiles_table())
    return {SCHEMA_FILE: schema_text(), PAGE_FILE: page}


def schema_text() -> str:
    """The JSON Schema of a policy file, as text."""
    schema = PolicyText.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def keys_table() -> str:
    """A Markdown table of every key of a policy, in the order of the models."""
    rows = ["| key | without it | meaning |", "|---|---|---|"]
    for path, field in _fields(PolicyText, ""):
        rows.append(f"| `{path}` | {_default(field)} | {_cell(field.description or '')} |")
    return "\n".join(rows) + "\n"


def profiles_table() -> str:
    """A Markdown table of the shipped profiles."""
    rows = ["| profile | for | trust zone | what it promises |", "|---|---|---|---|"]
    for name in profile_names():
        text = read_model(PROFILES / f"{name}.yaml", PolicyText)
        zone = ", ".join(text.trust_zone)
        rows.append(f"| `{name}` | {text.title['en']} | {zone} | {_cell(text.about['en'])} |")
    return "\n".join(rows) + "\n"


def _replace(page: str, name: str, content: str) -> str:
    pattern = re.compile(_SECTION.format(name=name), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no section between the markers of `{name}`")
    return pattern.sub(lambda match: f"{match[1]}{content}{match[2]}", page)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    """Every key below a model with its path; keys of lists and groups carry a placeholder."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        for inner, step in _models_in(field.annotation, ""):
            yield from _fields(inner, f"{prefix}{name}{step}.")


def _models_in(annotation: object, step: str) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, step
        return
    origin = getattr(annotation, "__origin__", None)
    inner = "[]" if origin is tuple else ".<id>" if origin is dict else step
    for argument in get_args(annotation):
        yield from _models_in(argument, inner)


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "**required**"
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    if isinstance(value, Enum | bool | str):
        return f"`{str(value.value if isinstance(value, Enum) else value).lower()}`"
    return f"`[{', '.join(value)}]`" if value else ""


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ").strip()
