"""`sovproxy audit`: check that nobody changed the audit, and take it along."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sovproxy.cli.exits import FINDINGS, or_exit
from sovproxy.cli.looks import caller
from sovproxy.settings_reading import read_settings
from sovproxy.store.audit import all_entries
from sovproxy.store.database import open_store
from sovproxy.usecases.access.audit_chain import check, check_export, read_anchor, read_anchors
from sovproxy.usecases.access.auditing import Act, record_act

if TYPE_CHECKING:
    from sovproxy.store.chain import Anchor, Checked

app = typer.Typer(add_completion=False, name="audit", no_args_is_help=True, help=__doc__)


@app.command()
def verify(
    *,
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            help="A hash that was noted (`HASH` or `NUMBER:HASH`), or a file with one a line."
            " Those that the API noted on this machine are compared in any case."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Check what `audit export` wrote, instead of the store.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check the chain of hashes, and name the first entry that does not fit (exit code 1).

    Entries that were cut off at the end, and an audit that was written anew as a whole, are seen
    by comparing with a hash that was noted elsewhere: the last line that is printed is one.
    """
    found = or_exit(lambda: _checked(anchor or [], file))
    typer.echo(json.dumps(asdict(found)) if as_json else _told(found))
    if found.fault:
        raise typer.Exit(FINDINGS)


@app.command()
def export() -> None:
    """Print all entries, oldest first, one JSON object per line, as they were hashed."""
    or_exit(_export)


def _checked(given: list[str], file: Path | None) -> Checked:
    anchors = [one for text in given for one in _anchors(text)]
    if file:
        return check_export(file, anchors)
    settings = read_settings()
    if settings.audit_anchors_file.exists():
        anchors += read_anchors(settings.audit_anchors_file)
    with closing(open_store(settings.effective_store_url)) as store:
        return check(store, anchors)


def _anchors(text: str) -> list[Anchor]:
    return read_anchors(Path(text)) if Path(text).is_file() else [read_anchor(text)]


def _told(found: Checked) -> str:
    lines = []
    if found.through:
        lines.append(f"retention has deleted the entries up to {found.through}")
    lines.append(f"{found.entries} entries fit, up to number {found.last}")
    lines.append(f"{found.anchors} noted hashes were compared")
    if found.fault:
        lines.append(f"{found.fault.kind}: {found.fault.says}")
    lines.append(f"{found.last}:{found.head}")
    return "\n".join(lines)


def _export() -> None:
    with closing(open_store(read_settings().effective_store_url)) as store:
        record_act(store, caller(), Act.EXPORT, {"of": "audit", "format": "jsonl"})
        with all_entries(store) as (_, entries):
            for entry in entries:
                sys.stdout.write(json.dumps(entry) + "\n")
