"""The table of keys in docs/catalogue.md, made from the schema so that it cannot drift."""

from __future__ import annotations

import types
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAliasType, get_args, get_origin

from pydantic import BaseModel

from sovproxy.atlas import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

BEGIN = "<!-- keys: made by `python -m sovproxy.atlas.reference`; do not edit -->"
END = "<!-- end of keys -->"

PARTS: tuple[type[BaseModel], ...] = (
    schema.ServiceFile,
    schema.HostGroup,
    schema.PrefixGroup,
    schema.NetworkClaim,
    schema.App,
    schema.TenantHeader,
    schema.OperatorFile,
    schema.OperatorEntry,
    schema.OperatorNetworks,
    schema.OperatorNetwork,
    schema.SharedFile,
    schema.SharedGroup,
    schema.PowerFile,
    schema.PowerEntry,
    schema.UnusedFile,
    schema.UnusedPrefix,
)

_WORDS = {
    "Id": "id",
    "HostPattern": "host pattern",
    "Prefix": "prefix",
    "PortRange": "port range",
    "Country": "country",
    "Lawmaker": "country or `EU`",
    "Link": "https link",
    "Text": "text",
    "Asn": "number",
    "Flag": "`true` or `false`",
    "Day": "date",
}


def render_keys() -> str:
    """One Markdown table per part of the format, with every key, its type and meaning."""
    return "\n".join(_table(part) for part in PARTS)


def _table(part: type[BaseModel]) -> str:
    heading = f"### {part.__name__}\n\n{(part.__doc__ or '').strip()}\n"
    rows = "\n".join(_row(name, field) for name, field in part.model_fields.items())
    return f"{heading}\n| key | holds | meaning |\n|---|---|---|\n{rows}\n"


def _row(name: str, field: FieldInfo) -> str:
    key = f"**`{name}`**" if field.is_required() else f"`{name}`"
    return f"| {key} | {_words(field.annotation)} | {field.description} |"


def _words(annotation: Any) -> str:  # noqa: ANN401 -- annotations are of every type
    """What a key holds, in words."""
    if isinstance(annotation, TypeAliasType):
        known = _WORDS.get(annotation.__name__)
        return known or _words(annotation.__value__)
    origin = get_origin(annotation)
    if origin is list:
        return f"list of {_words(get_args(annotation)[0])}"
    if origin is Literal or _is(annotation, StrEnum):
        return "one of " + ", ".join(f"`{value}`" for value in _values(annotation))
    if origin is types.UnionType:
        return _words(next(one for one in get_args(annotation) if one is not type(None)))
    if _is(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return "number"


def _is(annotation: Any, base: type) -> bool:  # noqa: ANN401 -- annotations are of every type
    return isinstance(annotation, type) and issubclass(annotation, base)


def _values(annotation: Any) -> Iterator[str]:  # noqa: ANN401 -- annotations are of every type
    if _is(annotation, StrEnum):
        return (str(one.value) for one in annotation)
    return iter(get_args(annotation))


def insert_keys(text: str) -> str:
    """Put the tables of today between the marks of a document."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render_keys()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs" / "catalogue.md"
    page.write_text(insert_keys(page.read_text(encoding="utf-8")), encoding="utf-8")
