"""`sovproxy accounts`: make, list and disable accounts, issue links, on the store's machine."""

from __future__ import annotations

import getpass
import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sovproxy.cli.exits import or_exit, settings_or_exit
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.accounts import AccountProblem
from sovproxy.usecases.access.tokens import Role, command_line  # Typer reads annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.accounts import AccountFacts
    from sovproxy.usecases.access.tokens import Principal

app = typer.Typer(add_completion=False, name="accounts", no_args_is_help=True, help=__doc__)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN")]


@app.command()
def create(
    login: LoginArgument,
    *,
    role: Annotated[Role, typer.Option(help="What its owner may do.")],
    name: Annotated[str, typer.Option(help="Who owns it; without it, the login name.")] = "",
) -> None:
    """Make an account, and print the one-time link by which its owner sets a password."""
    by, now = _user(), datetime.now(UTC)
    _, code = _with_store(
        lambda store: accounts.create_account(
            store, by, now, login=login, name=name or login, role=role
        )
    )
    typer.echo(_link(code))


@app.command(name="list")
def list_(*, as_json: JsonOption = False) -> None:
    """List all accounts."""
    for facts in _with_store(accounts.list_accounts):
        shown = _shown(facts)
        typer.echo(json.dumps(shown) if as_json else " ".join(str(one) for one in shown.values()))


@app.command()
def disable(login: LoginArgument) -> None:
    """Shut an account out, and end its sessions."""
    by, now = _user(), datetime.now(UTC)

    def shut_out(store: Store) -> None:
        accounts.set_disabled(store, by, _id_of(store, login), now, disabled=True)

    _with_store(shut_out)
    typer.echo(f"{login} is disabled")


@app.command()
def link(login: LoginArgument) -> None:
    """Print a one-time link that sets a new password; for 24 hours."""
    by, now = _user(), datetime.now(UTC)
    code = _with_store(lambda store: accounts.issue_link(store, by, _id_of(store, login), now))
    typer.echo(_link(code))


def _with_store[T](use: Callable[[Store], T]) -> T:
    def opened() -> T:
        with closing(open_store(read_settings().effective_store_url)) as store:
            return use(store)

    return or_exit(opened)


def _id_of(store: Store, login: str) -> str:
    wanted = login.strip().lower()
    for facts in accounts.list_accounts(store):
        if facts.login == wanted:
            return facts.id
    raise AccountProblem(f"there is no account {login!r}; `sovproxy accounts list` shows them")


def _user() -> Principal:
    try:
        return command_line(getpass.getuser())
    except OSError:  # a user without a name
        return command_line("")


def _link(code: str) -> str:
    settings = settings_or_exit()
    base = (settings.public_url or settings.api_url).rstrip("/")
    return f"{base}/console/link?code={code}"


def _shown(facts: AccountFacts) -> dict[str, Any]:
    last = facts.last_sign_in.isoformat(timespec="seconds") if facts.last_sign_in else None
    return {
        "login": facts.login,
        "name": facts.name,
        "role": facts.role.value,
        "way": facts.way,
        "second_factor": facts.second_factor,
        "disabled": facts.disabled,
        "last_sign_in": last,
    }
