"""`sovproxy data`: the GeoIP and ASN databases in use, and how they are replaced."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sovproxy.atlas.databases import Databases, Outcome, Status
from sovproxy.cli.exits import FAILURE, FINDINGS, OK, USAGE, settings_or_exit
from sovproxy.errors import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.atlas.mmdb_schema import Kind

app = typer.Typer(
    add_completion=False,
    name="data",
    help="The GeoIP and ASN databases in use, and their age.",
    no_args_is_help=True,
)


class Which(StrEnum):
    """Kinds of database as an option."""

    location = "location"
    network = "network"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
OneKind = Annotated[
    Which | None, typer.Option("--kind", help="Only for this kind; else for all that fit.")
]


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show which databases are in use, where they come from and how old they are.

    Exit code 1 when one is older than 90 days, 3 when one cannot be used.
    """
    found = _databases().status(time.time())
    if as_json:
        _print_json(found)
    else:
        _print_table(found)
    for one in found:
        _say(one.error or _age_warning(one))
    if any(one.error for one in found):
        raise typer.Exit(FAILURE)
    raise typer.Exit(FINDINGS if any(one.stale for one in found) else OK)


@app.command()
def update(*, as_json: Json = False) -> None:
    """Fetch the databases from the URLs in the settings; change nothing that fails.

    The settings are location_update_url and network_update_url. Exit code 1 when an updated
    database is still older than 90 days, 3 when something failed.
    """
    databases = _databases()
    if not any(databases.update_urls.values()):
        message = (
            "no update URL is set: set SOVPROXY_LOCATION_UPDATE_URL or SOVPROXY_NETWORK_UPDATE_URL,"
            " or use `sovproxy data import FILE`"
        )
        _stop(message, USAGE)
    _finish(databases, databases.update(time.time()), as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="MMDB, or .gz, .xz, .zip, .tar.gz of one.")],
    *,
    kind: OneKind = None,
    as_json: Json = False,
) -> None:
    """Put a database file in use, for every kind of fact that it holds; keep the one before.

    Exit code 1 when it is older than 90 days, 3 when it was refused.
    """
    if not file.is_file():
        _stop(f"{file}: is not a file", USAGE)
    databases = _databases()
    try:
        outcomes = databases.import_file(file, _kind(kind), time.time())
    except (UnusableDatabase, OSError) as error:
        _stop(str(error), FAILURE)
    _finish(databases, outcomes, as_json=as_json)


@app.command()
def rollback(*, kind: OneKind = None, as_json: Json = False) -> None:
    """Put back the database that was in use before the last import; once more undoes that."""
    databases = _databases()
    try:
        outcomes = databases.rollback(_kind(kind))
    except (UnusableDatabase, OSError) as error:
        _stop(str(error), FAILURE)
    _finish(databases, outcomes, as_json=as_json)


def _databases() -> Databases:
    return Databases.of(settings_or_exit())


def _kind(kind: Which | None) -> Kind | None:
    return kind.value if kind else None


def _finish(databases: Databases, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what was done, then what is to be known about the databases that it touched."""
    if as_json:
        _print_json(outcomes)
    for outcome in outcomes:
        line = f"{outcome.kind}: {outcome.result.replace('_', ' ')}: {outcome.message}"
        if outcome.result == "failed":
            _say(line)
        elif not as_json:
            typer.echo(line)
    if any(outcome.result == "failed" for outcome in outcomes):
        raise typer.Exit(FAILURE)
    touched = {outcome.kind for outcome in outcomes}
    stale = [s for s in databases.status(time.time()) if s.kind in touched and s.stale]
    for one in stale:
        _say(_age_warning(one))
    raise typer.Exit(FINDINGS if stale else OK)


def _age_warning(one: Status) -> str:
    if not one.stale:
        return ""
    return (
        f"warning: the {one.kind} database is {one.age_days} days old (built {one.built}); its "
        "answers may be wrong by now. Use `sovproxy data update` or `sovproxy data import FILE`."
    )


def _say(line: str) -> None:
    if line:
        typer.echo(line, err=True)


def _stop(message: str, code: int) -> NoReturn:
    _say(message)
    raise typer.Exit(code)


def _print_json(items: Sequence[Status] | Sequence[Outcome]) -> None:
    for item in items:
        typer.echo(json.dumps(asdict(item), ensure_ascii=False))


def _print_table(found: Sequence[Status]) -> None:
    """Print name and value by line. Nothing is cut off: paths and hashes are there to be copied."""
    for one in found:
        typer.echo(f"{one.kind} database")
        for name, value in _rows(one):
            typer.echo(f"  {name:<15} {value}")


def _rows(one: Status) -> list[tuple[str, str]]:
    rows = [("from", f"{one.origin} {one.source}".strip()), ("file", one.path)]
    if one.error:
        return [*rows, ("cannot be used", one.error)]
    age = f"{one.built}, {one.age_days} days ago{' (STALE)' if one.stale else ''}"
    return [
        *rows,
        ("says of itself", f"{one.title} ({one.type})"),
        ("built", age),
        ("sha256", one.sha256),
        ("size", f"{one.size:,} bytes, {one.nodes:,} nodes, IPv{one.ip_version}"),
        ("can roll back", "yes" if one.previous else "no"),
    ]
