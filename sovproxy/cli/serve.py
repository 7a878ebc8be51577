"""`sovproxy api`: the admin API alone, as `sovproxy run` starts it."""

from __future__ import annotations

import typer

from sovproxy.api.serving import serve
from sovproxy.api.start import app_of
from sovproxy.cli.exits import or_exit, settings_or_exit
from sovproxy.usecases.upkeep.notifying import notifier_of

app = typer.Typer(add_completion=False)


@app.command()
def api() -> None:
    """Serve the admin API alone (`sovproxy run` starts it beside the proxy)."""
    notifier = notifier_of()
    settings = settings_or_exit()
    serve(or_exit(lambda: app_of(settings)), settings, notifier)
