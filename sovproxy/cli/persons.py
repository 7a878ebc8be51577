"""`sovproxy persons`: what is held of one person, given or erased, on the store's machine."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sovproxy.cli.exits import or_exit
from sovproxy.cli.looks import caller
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.fleet.directory import Directory
from sovproxy.settings_reading import read_settings
from sovproxy.store.database import open_store
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.worker import persons
from sovproxy.usecases.worker.persons import Kind, PersonInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.database import Store

app = typer.Typer(add_completion=False, name="persons", no_args_is_help=True, help=__doc__)

Clients = Annotated[
    list[str], typer.Argument(metavar="PSEUDONYM…", help="As the worker's own data page shows.")
]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit.")]


@app.command()
def export(clients: Clients, *, reason: Reason) -> None:
    """Print all that is held under some pseudonyms, as one JSON object (right of access)."""

    def given(store: Store) -> str:
        now = datetime.now(UTC)
        wanted = PersonInput(kind=Kind.ACCESS, clients=clients, reason=reason)
        made = persons.ask(store, caller(), wanted, now)
        return persons.give(store, caller(), made.id, now).model_dump_json(indent=1)

    typer.echo(_with_store(given))


@app.command()
def erase(clients: Clients, *, reason: Reason) -> None:
    """Erase what is held under some pseudonyms; say how much, and what stays and why."""

    def erased(store: Store) -> str:
        now = datetime.now(UTC)
        wanted = PersonInput(kind=Kind.ERASURE, clients=clients, reason=reason)
        made = persons.ask(store, caller(), wanted, now)
        return persons.erase(store, caller(), made.id, now).model_dump_json(indent=1)

    typer.echo(_with_store(erased))


@app.command()
def forget(clients: Clients) -> None:
    """Take the clients behind some pseudonyms out of this machine's node's directory.

    Nobody is named: it prints how many entries were taken out. They can be resolved here no more.
    """

    def forgotten() -> int:
        settings = read_settings()
        folder = settings.data_dir / "node"
        days = Judge(settings).policy.retention_days
        keys = Pseudonyms(folder / "pseudonym-keys.json", days)
        return Directory(folder / "directory", days).forget(clients, keys.every)

    typer.echo(f"{or_exit(forgotten)} entries taken out")


def _with_store[T](use: Callable[[Store], T]) -> T:
    def opened() -> T:
        with closing(open_store(read_settings().effective_store_url)) as store:
            return use(store)

    return or_exit(opened)
