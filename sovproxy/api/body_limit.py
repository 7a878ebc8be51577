"""How large a request's body may be, by address; over it the answer is a 413 problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sovproxy.api.problems import on_http_exception

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOO_LARGE = 413


class BodyLimit:
    """Refuses bodies over the limit (bytes), by the length they announce or while they arrive.

    `by_path` holds limits by address; one that ends with a slash counts for all below it.
    """

    def __init__(self, app: ASGIApp, default: int, by_path: Mapping[str, int]) -> None:
        self._app = app
        self._default = default
        self._by_path = by_path
        self._below = {path: size for path, size in by_path.items() if path.endswith("/")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            response = on_http_exception(Request(scope), HTTPException(_TOO_LARGE))
            await response(scope, receive, send)
            return
        await self._app(scope, _limited(receive, limit), send)

    def _limit(self, path: str) -> int:
        below = (size for start, size in self._below.items() if path.startswith(start))
        return self._by_path.get(path) or next(below, self._default)


def _limited(receive: Receive, limit: int) -> Receive:
    arrived = 0

    async def receive_within_limit() -> Message:
        nonlocal arrived
        message = await receive()
        arrived += len(message.get("body", b""))
        if arrived > limit:
            raise HTTPException(_TOO_LARGE)
        return message

    return receive_within_limit
