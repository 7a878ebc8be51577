"""`sovproxy exceptions`: see what waits and what holds, grant, refuse, revoke; on the store's
machine."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from sovproxy.cli.exits import USAGE, or_exit
from sovproxy.cli.looks import caller
from sovproxy.decide.exceptions import Scope  # Typer reads annotations
from sovproxy.events.text import visible
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.worker import exceptions as usecase
from sovproxy.usecases.worker.exception_desk import Desk
from sovproxy.usecases.worker.exception_models import ExceptionQuery, GrantInput, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sovproxy.store.database import Store
    from sovproxy.usecases.worker.exception_models import ExceptionDetail, ExceptionFacts

app = typer.Typer(add_completion=False, name="exceptions", no_args_is_help=True, help=__doc__)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The request's number.")]
Message = Annotated[str, typer.Option(help="What the worker is told.")]


@app.command(name="list")
def list_(
    *,
    state: Annotated[
        list[State] | None, typer.Option(help="Only those in this state; without: what waits.")
    ] = None,
    service: Annotated[list[str] | None, typer.Option(help="Only this service.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Only this group.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List requests, newest first. The look leaves an audit entry."""
    given = {"state": state or [State.WAITING], "service": service or [], "group": group or []}
    query = _read(lambda: ExceptionQuery.model_validate({**given, "limit": limit}))

    def look(store: Store) -> list[ExceptionFacts]:
        found = usecase.page(store, query, datetime.now(UTC)).items
        asked = query.model_dump(mode="json", exclude_defaults=True)
        record_act(store, caller(), Act.EXCEPTIONS, asked, rows=len(found))
        return found

    for facts in _with_store(look):
        _show(facts, as_json=as_json)


@app.command()
def grant(
    number: Number,
    *,
    hours: Annotated[
        float, typer.Option(min=0, help="How long, from now on; without: as asked for.")
    ] = 0,
    scope: Annotated[Scope, typer.Option(help="For whom.")] = Scope.CLIENT,
    message: Message = "",
    as_json: JsonOption = False,
) -> None:
    """Grant what waits. Nodes know it within two seconds."""
    max_days = or_exit(lambda: Judge(read_settings())).policy.exception_days
    now = datetime.now(UTC)
    until = now + timedelta(hours=min(hours, 24 * 400)) if hours else None
    body = _read(lambda: GrantInput(until=until, scope=scope, message=message))
    _take(number, lambda desk, key: desk.grant(key, body), as_json=as_json, max_days=max_days)


@app.command()
def refuse(number: Number, *, message: Message = "", as_json: JsonOption = False) -> None:
    """Refuse what waits."""
    said = _read(lambda: GrantInput(message=message)).message
    _take(number, lambda desk, key: desk.refuse(key, said), as_json=as_json)


@app.command()
def revoke(number: Number, *, message: Message = "", as_json: JsonOption = False) -> None:
    """Take back what was granted. Nodes know it within two seconds."""
    said = _read(lambda: GrantInput(message=message)).message
    _take(number, lambda desk, key: desk.revoke(key, said), as_json=as_json)


def _take(
    number: int,
    step: Callable[[Desk, UUID], ExceptionDetail],
    *,
    as_json: bool,
    max_days: int = 1,
) -> None:
    def take(store: Store) -> ExceptionDetail:
        desk = Desk(store, caller(), datetime.now(UTC), max_days)
        return step(desk, usecase.id_of_number(store, number))

    _show(_with_store(take), as_json=as_json)


def _read[T](make: Callable[[], T]) -> T:
    """What was given, or what is wrong with it and exit code 2."""
    try:
        return make()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else "options"
            typer.echo(f"--{name}: {item['msg']}", err=True)
        raise typer.Exit(USAGE) from None


def _with_store[T](use: Callable[[Store], T]) -> T:
    def opened() -> T:
        with closing(open_store(read_settings().effective_store_url)) as store:
            return use(store)

    return or_exit(opened)


def _show(facts: ExceptionFacts, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts.model_dump(mode="json", exclude={"history"})))
        return
    until = (facts.until or facts.wanted).isoformat(timespec="minutes")
    what = facts.service or f"{facts.host}{' and below' if facts.below else ''}"
    who = " ".join(filter(None, (facts.client, facts.group))) or "nobody in particular"
    lines = [f"{facts.number} {facts.state}: {what} for {who}, until {until}", f"  {facts.reason}"]
    if facts.message:
        lines.append(f"  answer: {facts.message}")
    for line in lines:
        typer.echo(visible(line))
