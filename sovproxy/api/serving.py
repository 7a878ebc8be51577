"""Serves the API within its limits: connections, the time that a request takes to arrive, files.

uvicorn has no limit on how long a request may take to arrive, nor on one client's connections.
"""

from __future__ import annotations

import json
import logging
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import h11
import uvicorn
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from sovproxy.limits import Limits, network
from sovproxy.usecases.upkeep.resources import raise_file_limit

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from sovproxy.settings import Settings
    from sovproxy.usecases.upkeep.notifying import Notifier

log = logging.getLogger(__name__)

END_SECONDS: Final = 5
"""How long answers that are under way may take to end after SIGTERM."""

QUIET_SECONDS: Final = 60.0
"""How often at most the log says that a limit is reached."""

RESERVE: Final = 64
"""Open files that are kept for everything but connections."""

TITLES: Final = {
    "api_connections": (503, "The API has as many connections as it can hold"),
    "api_client_connections": (429, "Too many connections of this client"),
    "api_head_seconds": (408, "The head of the request took too long"),
    "api_head_bytes": (431, "The head of the request is too large"),
    "api_head_lines": (431, "The request has too many header fields"),
}


class Gauge:
    """Counts connections in and out. `reached` is told the name of each limit that is reached."""

    def __init__(self, limits: Limits, files: int, reached: Callable[[str], None]) -> None:
        self.limits = limits
        self.most = min(limits.api_connections, max(1, files - RESERVE))
        self._reached = reached
        self._all = 0
        self._of_client: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def take(self, key: str) -> str:
        """Count a connection in, and give the name of the limit that it goes over, or nothing."""
        self._all += 1
        self._of_client[key] += 1
        if self._of_client[key] > self.limits.api_client_connections:
            return "api_client_connections"
        return "api_connections" if self._all > self.most else ""

    def leave(self, key: str) -> None:
        """Count a connection out."""
        self._all -= 1
        self._of_client[key] -= 1
        if not self._of_client[key]:
            del self._of_client[key]

    def note(self, limit: str) -> None:
        """Count that a limit was reached; say so in the log from time to time."""
        self._reached(limit)
        now = time.monotonic()
        if now - self._told.get(limit, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._told[limit] = now
            log.warning("limits: %s is reached (%s)", limit, getattr(self.limits, limit))


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with limits. `gauge` is set by `protocol_of`."""

    gauge: Gauge
    _key: str = ""
    _timer: asyncio.TimerHandle | None = None
    _waits_for: str = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or tell it which limit it is over."""
        super().connection_made(transport)
        self._key = network(self.client[0]) if self.client else ""
        if limit := self.gauge.take(self._key):
            self._refuse(limit)
        else:
            self._wait_for("api_head_seconds")

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self._wait_for("")
        self.gauge.leave(self._key)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and note how far the request has come."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Go on to the next request, whose head may be there already."""
        super().on_response_complete()
        self._look()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or a head that goes on for too long."""
        if len(self.conn.trailing_data[0]) > self.gauge.limits.api_head_bytes:
            self._refuse("api_head_bytes")
        else:
            super().send_400_response(msg)

    def _look(self) -> None:
        """Set the time that belongs to what is waited for; it runs on from the first byte."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._wait_for("api_body_seconds")
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait_for("api_head_seconds")
        else:
            self._wait_for("")

    def _wait_for(self, limit: str) -> None:
        if limit == self._waits_for:
            return
        self._waits_for = limit
        if self._timer:
            self._timer.cancel()
        seconds = getattr(self.gauge.limits, limit) if limit else 0.0
        self._timer = self.loop.call_later(seconds, self._overdue) if limit else None

    def _overdue(self) -> None:
        limit, begun = self._waits_for, bool(self.conn.trailing_data[0])
        if limit in TITLES and begun:
            self._refuse(limit)
        else:
            self.gauge.note(limit)
            self.transport.close()

    def _refuse(self, limit: str) -> None:
        self.gauge.note(limit)
        (status, title), body = TITLES[limit], _problem(limit)
        lines = [f"HTTP/1.1 {status} {title}", "Content-Type: application/problem+json"]
        lines += [f"Content-Length: {len(body)}", "Retry-After: 10", "Connection: close", "", body]
        self.transport.write("\r\n".join(lines).encode())
        self.transport.close()


class Heads:
    """Refuses whole heads that are too large: h11 measures only those that are not whole yet."""

    def __init__(self, app: ASGIApp, gauge: Gauge) -> None:
        self._app, self._gauge = app, gauge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        limit = self._over(scope) if scope["type"] == "http" else ""
        if not limit:
            await self._app(scope, receive, send)
            return
        self._gauge.note(limit)
        fields = {"content-type": "application/problem+json", "connection": "close"}
        await Response(_problem(limit), TITLES[limit][0], fields)(scope, receive, send)

    def _over(self, scope: Scope) -> str:
        limits, fields = self._gauge.limits, scope["headers"]
        if len(fields) > limits.api_head_lines:
            return "api_head_lines"
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) + 4 for name, value in fields)
        return "api_head_bytes" if size > limits.api_head_bytes else ""


def _problem(limit: str) -> str:
    status, title = TITLES[limit]
    return json.dumps({"type": "about:blank", "title": title, "status": status, "limit": limit})


def protocol_of(gauge: Gauge) -> type[H11Protocol]:
    """The protocol with these limits, as a class: uvicorn makes its own instances."""
    return type("Protocol", (LimitedProtocol,), {"gauge": gauge})


class Server(uvicorn.Server):
    """uvicorn, which says when it is ready, that it is alive, and that it ends."""

    def __init__(self, config: uvicorn.Config, notifier: Notifier) -> None:
        super().__init__(config)
        self._notifier = notifier
        self._told = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._notifier.ready()

    async def on_tick(self, counter: int) -> bool:
        """Say from time to time that the loop runs."""
        now = time.monotonic()
        if now - self._told >= self._notifier.every:
            self._told = now
            self._notifier.alive()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._notifier.stopping()
        await super().shutdown(sockets)


def serve(app: FastAPI, settings: Settings, notifier: Notifier) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP."""
    limits = settings.limits
    gauge = Gauge(limits, raise_file_limit(), app.state.services.measures.limit_reached)
    config = uvicorn.Config(
        Heads(app, gauge),
        host=settings.api_host,
        port=settings.api_port,
        http=protocol_of(gauge),
        ws="none",
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=limits.api_head_bytes,
        timeout_keep_alive=limits.api_idle_seconds,
        timeout_graceful_shutdown=END_SECONDS,
    )
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    Server(config, notifier).run()
