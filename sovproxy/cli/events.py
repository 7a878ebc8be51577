"""`sovproxy events`: search, follow and export what is on record.

Filters are FIELD=VALUE: since, until, service, operator, control, standing, action, rule, group,
node, client, host, host_contains, location, asn, kind, outcome, transport, decrypted, and without
(`without=service:zoom`). One field given several times fits if any value does; all fields must fit.
Times are ISO 8601 with zone, or how long ago: 30m, 24h, 7d. A host `.zoom.us` is every host below
it. Every look leaves an entry in the audit.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path  # noqa: TC003  # Typer reads annotations
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer
from pydantic import ValidationError

from sovproxy.cli.exits import FAILURE, or_exit
from sovproxy.cli.looks import record_look
from sovproxy.errors import SovproxyError
from sovproxy.events.export import ExportFormat  # noqa: TC001  # Typer reads annotations
from sovproxy.events.text import clean_text, visible
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.store.queries import arrived_after, last_arrival
from sovproxy.usecases.access.auditing import Act
from sovproxy.usecases.analysis.exporting import export as export_parts
from sovproxy.usecases.analysis.searching import FilterInput, count_matching, search_all
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sovproxy.events.event import Event
    from sovproxy.store.database import Store

POLL_SECONDS: Final = 0.5
_ALL: Final = 2**53

_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

app = typer.Typer(add_completion=False, name="events", no_args_is_help=True, help=__doc__)

Filters = Annotated[list[str] | None, typer.Argument(metavar="[FIELD=VALUE]…")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command()
def search(
    filters: Filters = None,
    *,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="Print at most so many.")] = 50,
) -> None:
    """Print events, newest first. To find none is an answer too: the exit code is 0."""
    wanted = read_filters(filters or [])
    write = _writer(as_json=as_json)
    with _open_store() as store:
        number = count_matching(store, wanted, limit)
        record_look(store, Act.SEARCH, wanted, number)
        for event in search_all(store, wanted, number):
            write(event)
    if not number:
        typer.echo("No event fits.", err=True)


@app.command()
def tail(
    filters: Filters = None,
    *,
    as_json: JsonOption = False,
    lines: Annotated[int, typer.Option(min=0, max=500, help="Begin with so many.")] = 10,
) -> None:
    """Print the newest events, then follow what arrives, until Ctrl-C."""
    wanted = read_filters(filters or [])
    write = _writer(as_json=as_json)
    with _open_store() as store:
        seen = last_arrival(store)
        first = list(search_all(store, wanted, lines))
        record_look(store, Act.STREAM, wanted, len(first))
        for event in reversed(first):
            write(event)
        _follow(store, wanted, seen, write)


def _follow(store: Store, wanted: FilterInput, seen: int, write: Callable[[Event], bool]) -> None:
    """Print what arrives until Ctrl-C; the audit is told at the end how much that was."""
    shown = 0
    try:
        while True:
            sys.stdout.flush()
            events, seen = arrived_after(store, wanted.to_filter(), seen)
            for event in events:
                shown += write(event)
            if not events:
                time.sleep(POLL_SECONDS)
    finally:
        record_look(store, Act.STREAM_END, wanted, shown)


@app.command()
def export(
    filters: Filters = None,
    *,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="CSV, JSON Lines, Parquet, or events of ECS or OCSF."),
    ],
    output: Annotated[Path | None, typer.Option(help="Write there instead of printing.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Write at most so many.")] = None,
) -> None:
    """Write all events that fit, newest first, for a program to read."""
    wanted = read_filters(filters or [])
    if output is None and not form.is_text and sys.stdout.isatty():
        raise typer.BadParameter("a terminal cannot show Parquet; give --output FILE")
    place = _private(output) if output else nullcontext(sys.stdout.buffer)
    with _open_store() as store, place as file:
        record_look(store, Act.EXPORT, wanted, count_matching(store, wanted, limit or _ALL))
        for part in export_parts(store, wanted, form, limit):
            file.write(part)
        file.flush()


def read_filters(texts: list[str]) -> FilterInput:
    """Read FIELD=VALUE texts. Raises typer.BadParameter, naming what is wrong."""
    values: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise typer.BadParameter(f"{clean_text(text, 80)}: FIELD=VALUE is wanted")
        values[name].append(value)
    try:
        return FilterInput.model_validate({key: _value(key, item) for key, item in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        where = clean_text(path_text(first["loc"]), 80)
        message = first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(f"{where}: {message}" if where else message) from None


def _value(name: str, values: list[str]) -> list[str] | datetime | str:
    if name not in {"since", "until"}:
        return values
    ago = _AGO.fullmatch(values[-1])
    if not ago:
        return values[-1]
    try:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    except OverflowError:
        return values[-1]


@contextmanager
def _open_store() -> Iterator[Store]:
    """The local store. Ctrl-C and a reader that went away (`| head`) are good endings."""
    store = or_exit(lambda: open_store(read_settings().effective_store_url))
    try:
        yield store
        sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Python flushes stdout once more on its way out, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (SovproxyError, OSError) as error:
        typer.echo(visible(str(error)), err=True)
        raise typer.Exit(FAILURE) from None
    finally:
        store.close()


def _writer(*, as_json: bool) -> Callable[[Event], bool]:
    form = _json if as_json else line_of

    def write(event: Event) -> bool:
        sys.stdout.write(f"{form(event)}\n")
        return True

    return write


def line_of(event: Event) -> str:
    """One line for people. Nothing in it can drive a terminal."""
    target = event.host or event.address or "?"
    parts = [
        event.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        event.action.upper().ljust(7),
        f"{target}:{event.port}" if event.port else target,
        event.service and f"service={event.service}",
        event.control and f"control={','.join(event.control)}",
        f"rule={event.rule}",
        event.group and f"group={event.group}",
        event.client and f"client={event.client}",
        event.kind if event.kind != "decision" else "",
        event.outcome,
    ]
    return visible(" ".join(part for part in parts if part))


def _json(event: Event) -> str:
    """ASCII only: what a terminal could obey is written as an escape."""
    return json.dumps(event.model_dump(mode="json"))


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    """A new file for its owner only; an existing one is never overwritten. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
