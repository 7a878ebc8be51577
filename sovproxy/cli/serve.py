"""`sovproxy api`: the admin API alone, as `sovproxy run` starts it."""

from __future__ import annotations

import uvicorn

from sovproxy.api.start import app_of
from sovproxy.cli.exits import or_exit
from sovproxy.settings import Settings


def api() -> None:
    """Serve the admin API alone (`sovproxy run` starts it beside the proxy)."""
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
