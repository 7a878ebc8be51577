"""`sovproxy api`: the admin API alone, as `sovproxy run` starts it."""

from __future__ import annotations

from sovproxy.cli.exits import or_exit
from sovproxy.settings import Settings
from sovproxy.usecases.upkeep.notifying import notifier_of


def api() -> None:
    """Serve the admin API alone (`sovproxy run` starts it beside the proxy)."""
    from sovproxy.api.serving import serve  # noqa: PLC0415 - other commands start sooner without
    from sovproxy.api.start import app_of  # noqa: PLC0415

    notifier = notifier_of()
    settings = or_exit(Settings)
    serve(or_exit(lambda: app_of(settings)), settings, notifier)
