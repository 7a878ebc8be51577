"""Views live in the URL: every link of the console is a path and the parameters that are set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

BASE: Final = "/console"
"""Where the console is mounted."""

type Params = Mapping[str, str | Iterable[str]]


def link(path: str, params: Params | None = None) -> str:
    """A link below the console; parameters without a value are left out."""
    pairs = list(_pairs(params or {}))
    return f"{BASE}{path}" + (f"?{urlencode(pairs)}" if pairs else "")


def _pairs(params: Params) -> Iterable[tuple[str, str]]:
    for name, value in params.items():
        for one in [value] if isinstance(value, str) else value:
            if one:
                yield name, one


def own_path(path: str) -> str:
    """The path if it is one of the console's own, else its first page: no link leads elsewhere."""
    stays = path.startswith(f"{BASE}/") and path.isascii() and path.isprintable()
    odd = any(char in path for char in "\\ ") or "//" in path.partition("?")[0]
    return path if stays and not odd else f"{BASE}/"
