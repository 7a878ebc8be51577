"""`sovproxy check`: what sovproxy knows and decides about a host, URL or address."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sovproxy.cli.exits import FINDINGS, USAGE, or_exit, settings_or_exit
from sovproxy.decide.exceptions import Exceptions
from sovproxy.store.database import open_store
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.worker.exceptions import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sovproxy.decide.describe import Json
    from sovproxy.settings import Settings


app = typer.Typer(add_completion=False)


@app.command()
def check(
    queries: Annotated[
        list[str], typer.Argument(metavar="HOST|URL|IP…", help="What to look at; `-`: from stdin.")
    ],
    ip: Annotated[
        str, typer.Option(metavar="ADDR", help="The address that the hosts resolve to.")
    ] = "",
    group: Annotated[str, typer.Option(help="Judge as for a client of this group.")] = "",
    client: Annotated[
        str,
        typer.Option(help="Judge as for this client (a pseudonym), by the exceptions in force."),
    ] = "",
    policy: Annotated[str, typer.Option(help="Judge by this profile or file instead.")] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
) -> None:
    """Say where destinations stand, who controls them, which powers reach them, and the verdict.

    Needs no network: nothing is resolved, nothing is asked. Exit code 1 when something is no
    destination.
    """
    settings = settings_or_exit(**{"policy": policy} if policy else {})
    judge = or_exit(lambda: Judge(settings))
    if group and group not in {item.id for item in judge.policy.groups}:
        known = ", ".join(item.id for item in judge.policy.groups) or "none"
        typer.echo(
            f"--group: {group!r} is no group of {judge.policy.id}; it has: {known}", err=True
        )
        raise typer.Exit(USAGE)
    if client:
        judge.exceptions = or_exit(lambda: _in_force(settings))
    unread = False
    for query in _each(queries):
        answer = judge.check(query, ip, group, client)
        unread |= answer["error"] is not None
        typer.echo(json.dumps(answer) if as_json else _text(answer))
    if unread:
        raise typer.Exit(FINDINGS)


def _in_force(settings: Settings) -> Exceptions:
    """The exceptions in force, from the store of this machine."""
    with closing(open_store(settings.effective_store_url)) as store:
        return Exceptions.of(in_force(store, datetime.now(UTC)))


def _each(queries: Iterable[str]) -> Iterator[str]:
    for query in queries:
        if query == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield query


def _text(answer: Json) -> str:
    """The answer for a person, one fact a line."""
    verdict = _part(answer, "verdict")
    lines = [f"{_plain(answer['query'])}: {verdict['action']} (rule {verdict['rule']})"]
    if answer["error"]:
        lines.append(f"  error        {_plain(answer['error'])}")
    facts = {
        "service": _named(answer["service"], "category"),
        "operator": _chain(answer["operator"]),
        "location": _part(answer, "location").get("country"),
        "network": _network(_part(answer, "network")),
        "control": ", ".join(map(str, _list(answer["control"]))),
        "powers": ", ".join(map(str, _list(answer["powers"]))),
        "standing": answer["standing"],
        "alternative": _named(verdict["alternative"], "url"),
        "reason": verdict["reason"],
        "exception": _exception(_part(answer, "exception")),
    }
    lines += [f"  {name:<12} {_plain(value)}" for name, value in facts.items() if value]
    for item in _list(answer["evidence"]):
        if isinstance(item, dict):
            lines.append(f"  evidence     {_plain(item['value'])} [{_plain(_origin(item))}]")
    return "\n".join(lines)


def _origin(item: dict[str, object]) -> str:
    parts = (item["source"], item["as_of"], item["confidence"])
    return ", ".join(str(part) for part in parts if part)


def _part(answer: Json, name: str) -> Json:
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _named(value: object, detail: str) -> str:
    return f"{value['name']} ({value[detail]})" if isinstance(value, dict) else ""


def _chain(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    entities = [value, *_list(value["parents"])]
    names = (f"{item['name']} ({item['country']})" for item in entities if isinstance(item, dict))
    return " < ".join(names)


def _exception(exception: Json) -> str:
    if not exception:
        return ""
    overrules = _part(exception, "overrules")
    without = f"without it: {overrules.get('action')} (rule {overrules.get('rule')})"
    return f"number {exception['number']}, until {exception['until']}; {without}"


def _network(network: Json) -> str:
    return f"AS{network['asn']} {network['organisation']}" if network else ""


def _plain(value: object) -> str:
    """Text that cannot drive the terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(value))
