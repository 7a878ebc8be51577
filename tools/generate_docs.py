"""Regenerates everything in docs/ that is made from the code. `tests/test_docs.py` compares it."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from sovproxy.api.app import ROUTERS, bare_app
from sovproxy.api.openapi import openapi_text, roles_table, with_roles_table
from sovproxy.atlas.reference import insert_keys
from sovproxy.cli.main import app
from sovproxy.policy import docs as policy_docs
from sovproxy.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"


def documents() -> dict[str, str]:
    """What each generated file has to contain, by its name in docs/."""
    api = (DOCS / "api.md").read_text("utf-8")
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "openapi.json": openapi_text(bare_app()),
        "api.md": with_roles_table(api, roles_table(ROUTERS)),
        "catalogue.md": insert_keys((DOCS / "catalogue.md").read_text("utf-8")),
        **policy_docs.generated(DOCS),
    }


def cli_page() -> str:
    """The reference of the command line, as typer writes it."""
    os.environ["COLUMNS"] = "100"
    context = typer.Context(typer.main.get_command(app), info_name="sovproxy")
    text = get_docs_for_click(obj=context.command, ctx=context, name="sovproxy")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def settings_page() -> str:
    """The table of settings."""
    rows = ["# Settings", "", (Settings.__doc__ or "").strip(), ""]
    rows += ["A TOML file that `SOVPROXY_CONFIG` names holds the same keys in lower case.", ""]
    rows += ["| variable | without it | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        rows.append(f"| `SOVPROXY_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    for file, text in documents().items():
        (DOCS / file).write_text(text, "utf-8")
        print(f"docs/{file}")
