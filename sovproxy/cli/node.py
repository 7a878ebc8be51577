"""`sovproxy node`: one node's proxy alone, for a machine without the API."""

from __future__ import annotations

import os

import typer

from sovproxy.cli.exits import or_exit, settings_or_exit
from sovproxy.events.files import make_private_folder
from sovproxy.usecases.ca.folder import ensure_confdir
from sovproxy.usecases.upkeep.running import node_command

app = typer.Typer(add_completion=False)


@app.command()
def node() -> None:
    """Run the proxy alone (`sovproxy run` starts it beside the API).

    It takes the place of this process: whoever keeps it running, such as systemd, sees the proxy.
    """
    settings = settings_or_exit()
    or_exit(lambda: make_private_folder(settings.data_dir))
    or_exit(lambda: ensure_confdir(settings.ca_confdir))
    command = node_command(settings)
    os.execv(command[0], command)  # noqa: S606 - our own command line
