"""`sovproxy tokens`: make, list and revoke the bearer tokens of the API, on the store's machine."""

from __future__ import annotations

import getpass
import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sovproxy.cli.exits import or_exit
from sovproxy.events.text import visible
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.store.times import from_microseconds
from sovproxy.usecases.access import tokens
from sovproxy.usecases.access.tokens import Role, command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import TokenFacts

app = typer.Typer(add_completion=False, name="tokens", no_args_is_help=True, help=__doc__)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@app.command()
def create(
    *,
    role: Annotated[Role, typer.Option(help="What its bearer may do.")],
    name: Annotated[str, typer.Option(help="Who bears it.")],
    days: Annotated[
        int, typer.Option(min=1, max=tokens.MAX_DAYS, help="How long it works.")
    ] = tokens.DEFAULT_DAYS,
) -> None:
    """Make a token and print it: this is the only time that it can be seen."""
    by, now = command_line(getpass.getuser()), datetime.now(UTC)
    token, _ = _with_store(
        lambda store: tokens.create_token_as(store, by, now, role=role, name=name, days=days)
    )
    typer.echo(token)


@app.command(name="list")
def list_(*, as_json: JsonOption = False) -> None:
    """List all tokens, never their secrets."""
    for facts in _with_store(tokens.list_tokens):
        shown = _facts(facts)
        typer.echo(json.dumps(shown) if as_json else visible(" ".join(map(str, shown.values()))))


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make a token useless from now on."""
    by = command_line(getpass.getuser())
    _with_store(lambda store: tokens.revoke_token(store, token_id, by=by))
    typer.echo(f"{token_id} is revoked")


def _with_store[T](use: Callable[[Store], T]) -> T:
    def opened() -> T:
        with closing(open_store(read_settings().effective_store_url)) as store:
            return use(store)

    return or_exit(opened)


def _facts(facts: TokenFacts) -> dict[str, str | None]:
    return asdict(facts) | {
        "created": from_microseconds(facts.created).date().isoformat(),
        "expires": facts.expires and from_microseconds(facts.expires).date().isoformat(),
    }
