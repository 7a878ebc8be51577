"""`sovproxy api`: the admin API alone, as `sovproxy run` starts it."""

from __future__ import annotations

from sovproxy.cli.exits import or_exit
from sovproxy.settings import Settings


def api() -> None:
    """Serve the admin API alone (`sovproxy run` starts it beside the proxy)."""
    import uvicorn  # noqa: PLC0415 - every other command starts sooner without the web framework

    from sovproxy.api.start import app_of  # noqa: PLC0415

    settings = or_exit(Settings)
    app = or_exit(lambda: app_of(settings))
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )
