"""Reads the settings, and says of a bad one which it is, where it stands, and what came."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr, ValidationError

from sovproxy.errors import SovproxyError
from sovproxy.settings import Settings
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX: Final = "SOVPROXY_"
SHOWN: Final = 100
"""Characters that are shown of a value."""

_SECRET: Final = frozenset(
    {"store_url"} | {n for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
)
"""Settings that hold a password, or may: what came is not shown."""

_NO_JSON: Final = frozenset({"dict_type", "tuple_type", "list_type", "model_type"})


class InvalidSettings(SovproxyError):
    """Settings are refused; the text has a line for each: which one, what is wanted, what came."""


def read_settings(**given: object) -> Settings:
    """The settings of this installation. Raises InvalidSettings, UnusableConfig.

    What is `given` counts before the environment, and that before the file.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checked by Settings itself
    except ValidationError as error:
        lines = [_line(item) for item in error.errors()]
        raise InvalidSettings("\n".join(lines)) from None


def _line(item: ErrorDetails) -> str:
    loc = item["loc"]
    shown = "" if loc[0] in _SECRET else f"; got {_shown(item['input'])}"
    return f"setting {_place(loc)}: {_wanted(item)}{shown}"


def _place(loc: tuple[int | str, ...]) -> str:
    """The variable that holds it, or the file and its key."""
    whole = PREFIX + str(loc[0]).upper()
    nested = "__".join([whole, *(str(part).upper() for part in loc[1:])])
    present = {name.upper() for name, value in os.environ.items() if value}
    if nested in present:
        return nested
    if whole in present:
        return f"{whole} ({path_text(loc[1:])})" if loc[1:] else whole
    if file := Settings.model_config.get("toml_file"):
        return f"{path_text(loc)} in {file}"
    return nested


def _wanted(item: ErrorDetails) -> str:
    if item["type"] == "extra_forbidden":
        return "there is no such setting"
    message = item["msg"].removeprefix("Value error, ")
    field = Settings.model_fields.get(str(item["loc"][0]))
    if field and field.examples and item["type"] in _NO_JSON and len(item["loc"]) == 1:
        return f"JSON is wanted, such as {json.dumps(field.examples[0])}"
    return message


def _shown(value: Any) -> str:  # noqa: ANN401  # whatever came
    """What came, in one line; a password in a URL is left out."""
    text = re.sub(r"//[^/@\s]*@", "//…@", repr(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
