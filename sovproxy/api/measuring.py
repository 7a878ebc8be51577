"""Counts every answer, by the template of its route and its status."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sovproxy.usecases.upkeep.measuring import Measures

NO_ROUTE: Final = "none"
_FAILED: Final = 500


class Measured:
    """Notes method, route, status and time until the answer begins; outermost of all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        services = getattr(scope["app"].state, "services", None)
        if scope["type"] != "http" or services is None:
            await self._app(scope, receive, send)
            return
        measures: Measures = services.measures
        begun, status = time.perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                took = time.perf_counter() - begun
                measures.request(scope["method"], route_of(scope), status, took)
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except BaseException:
            if not status:
                took = time.perf_counter() - begun
                measures.request(scope["method"], route_of(scope), _FAILED, took)
            raise


def route_of(scope: Scope) -> str:
    """The template of the route that answers, with what it is mounted below; never a path."""
    template = getattr(scope.get("route"), "path", None)
    return f"{scope.get('root_path', '')}{template}" if template else NO_ROUTE
