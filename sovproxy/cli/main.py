"""The command `sovproxy`: every group of commands is found here, and imported when it is asked for.

Most commands need neither database nor API, and start in a fraction of the time without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from sovproxy import __version__

MODULES: Final = {
    "run": "run",
    "check": "check",
    "api": "serve",
    "node": "node",
    "policy": "policy",
    "data": "data",
    "compile": "compiling",
    "events": "events",
    "exceptions": "exceptions",
    "accounts": "accounts",
    "ca": "ca",
    "tokens": "tokens",
    "audit": "audit",
    "persons": "persons",
    "papers": "papers",
}
"""Each command, and the module of this package whose `app` it is."""


class _Commands(Mapping[str, Any]):
    """The commands by name, as typer makes them."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # typer's own type is private
        return get_command(import_module(f"sovproxy.cli.{MODULES[name]}").app)

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class _Group(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401  # passed on
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # nobody adds one


app = typer.Typer(
    cls=_Group,
    name="sovproxy",
    help="Judge outbound traffic by jurisdiction, and show the way to the sovereign tool.\n\n"
    "Exit codes: 0 done, 1 something was found, 2 a bad command line or setting, 3 it failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sovproxy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    _ = version


def main() -> None:
    """Run the command line."""
    app()
