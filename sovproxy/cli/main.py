"""The command `sovproxy`: every group of commands is mounted here."""

from __future__ import annotations

from typing import Annotated

import typer

from sovproxy import __version__
from sovproxy.cli import (
    accounts,
    audit,
    ca,
    check,
    compiling,
    data,
    events,
    exceptions,
    node,
    papers,
    persons,
    policy,
    run,
    serve,
    tokens,
)

app = typer.Typer(
    name="sovproxy",
    help="Judge outbound traffic by jurisdiction, and show the way to the sovereign tool.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run.run)
app.command()(check.check)
app.command()(serve.api)
app.command()(node.node)
app.add_typer(policy.app)
app.add_typer(data.app)
app.add_typer(compiling.app)
app.add_typer(events.app)
app.add_typer(exceptions.app)
app.add_typer(accounts.app)
app.add_typer(ca.app)
app.add_typer(tokens.app)
app.add_typer(audit.app)
app.add_typer(persons.app)
app.add_typer(papers.app)


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
