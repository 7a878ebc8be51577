"""Writes what `docs/` says about the API from the code: `python -m sovproxy.api.docs docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from sovproxy.api.app import ROUTERS, bare_app
from sovproxy.api.openapi import openapi_text, roles_table, with_roles_table


def write_docs(folder: Path) -> None:
    """Write `openapi.json` and the table of roles in `api.md`. Raises OSError, ValueError."""
    (folder / "openapi.json").write_text(openapi_text(bare_app()), "utf-8")
    page = folder / "api.md"
    page.write_text(with_roles_table(page.read_text("utf-8"), roles_table(ROUTERS)), "utf-8")


if __name__ == "__main__":
    write_docs(Path(sys.argv[1]))
