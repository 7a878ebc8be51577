"""`sovproxy run`: proxy and API on embedded defaults, and what to do next."""

from __future__ import annotations

import logging
import shlex
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from sovproxy.cli.exits import FAILURE, or_exit, settings_or_exit
from sovproxy.errors import SovproxyError
from sovproxy.events.files import make_private_folder
from sovproxy.store.database import open_store
from sovproxy.usecases.access.accounts import first_link
from sovproxy.usecases.access.tokens import ensure_node_token
from sovproxy.usecases.ca.folder import ensure_confdir
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.upkeep.notifying import notifier_of
from sovproxy.usecases.upkeep.running import Supervisor, processes_of

if TYPE_CHECKING:
    from sovproxy.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def run() -> None:
    """Start the proxy and the admin API on this machine, and keep them running.

    Everything is written below the data directory. SIGTERM or Ctrl-C ends it, once tunnels have
    finished or had their time; a second one ends it at once.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = settings_or_exit()
    or_exit(lambda: make_private_folder(settings.data_dir))
    judge = or_exit(lambda: Judge(settings))  # refuse a bad policy or catalogue before starting
    code = or_exit(lambda: _prepare(settings))
    notifier = notifier_of()
    supervisor = Supervisor(processes_of(settings), notifier=notifier)
    supervisor.heed_signals()
    try:
        supervisor.run(lambda: typer.echo(_welcome(settings, judge, code)))
    except SovproxyError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILURE) from None


def _prepare(settings: Settings) -> str | None:
    """Make the store and the node's token, and the first admin's link while there is no admin."""
    ensure_confdir(settings.ca_confdir)  # before mitmproxy makes a CA of its own there
    store = open_store(settings.effective_store_url)
    try:
        ensure_node_token(store, settings.node_token_file, settings.node)
        return first_link(store, datetime.now(UTC))
    finally:
        store.close()


def _welcome(settings: Settings, judge: Judge, code: str | None) -> str:
    proxy = f"http://{settings.proxy_host}:{settings.proxy_port}"
    policy, authority = judge.policy, shlex.quote(str(settings.ca_certificate))
    lines = [
        "",
        f"sovproxy is running with policy {policy.id} ({policy.version}).",
        "",
        f"  Proxy        {proxy}",
        f"  PAC          {settings.api_url}/proxy.pac",
        f"  API          {settings.api_url}/api/v1  (description: {settings.api_url}/openapi.json)",
        f"  Console      {settings.api_url}/console/",
        f"  CA           {settings.api_url}/ca.pem  (to be trusted by the workstations' browsers)",
        f"  Data         {settings.data_dir}",
        "",
        *_first_steps(settings, code),
        "See a prompt:",
        f"  curl -x {proxy} --cacert {authority} https://zoom.us/j/123",
        "See the events:",
        f"  {sys.argv[0]} events tail",
        "",
        *_doubts(judge),
    ]
    return "\n".join(lines)


def _first_steps(settings: Settings, code: str | None) -> list[str]:
    """How the first admin comes in; nothing once there is one."""
    if code is None:
        return []
    return [
        "Nobody can administer it yet. Open this link to become the first admin; it works once,",
        "for 24 hours, and until the next start:",
        f"  {settings.api_url}/console/first?code={code}",
        "",
    ]


def _doubts(judge: Judge) -> list[str]:
    """What the admin should know before relying on it."""
    doubts = [f"Warning: {warning}" for warning in judge.policy_file.warnings]
    if judge.geo.stale:
        doubts.append(
            "Warning: the GeoIP and ASN databases are older than 90 days; "
            "`sovproxy data status` shows them, `sovproxy data import FILE` replaces them."
        )
    return doubts
