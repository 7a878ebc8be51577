"""ETags: a client that has an answer already gets 304 instead of the same again.

Every small JSON document that GET gives carries a strong tag, the digest of its content, unless its
route has set one, or has said `no-store`. What is about persons is never kept by a client; where it
carries a tag, that names a version for `If-Match`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Protocol

from fastapi import Header, Response
from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

IfMatch = Annotated[
    str, Header(max_length=200, description="The ETag of what is changed, as you have read it.")
]

MAX_BYTES: Final = 1024 * 1024
"""Larger answers are sent as they come: nobody asks for them again and again."""

CACHE: Final = "private, no-cache"
"""Kept by the one who asked, and asked about before each use."""

PERSONAL: Final = (
    "/api/v1/accounts",
    "/api/v1/audit",
    "/api/v1/candidates",
    "/api/v1/counts",
    "/api/v1/events",
    "/api/v1/exceptions",
    "/api/v1/export",
    "/api/v1/facets",
    "/api/v1/findings",
    "/api/v1/histogram",
    "/api/v1/my",
    "/api/v1/overview",
    "/api/v1/papers",
    "/api/v1/persons",
    "/api/v1/policy/drafts",
    "/api/v1/resolutions",
    "/api/v1/session",
    "/api/v1/sessions",
    "/api/v1/suppressions",
    "/api/v1/tokens",
    "/api/v1/views",
)
"""Where answers tell of persons, or hold a secret."""

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_KEPT: Final = frozenset({b"cache-control", b"etag", b"vary", b"content-location", b"expires"})


class Versioned(Protocol):
    """What several people may change; `etag` changes whenever it does."""

    @property
    def etag(self) -> str:
        """Its version, as an ETag."""


def tagged[T: Versioned](response: Response, found: T) -> T:
    """Name the version of what is answered, for `If-Match`."""
    response.headers["etag"] = found.etag
    return found


class ETags:
    """Tags answers, and compares with what the client has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Tagging(scope, send))


class _Tagging:
    """Holds back the head of one answer until its content is known, if it is small and whole."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._path: str = scope["path"]
        self._known = Headers(scope=scope).get("if-none-match", "")
        self._send = send
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._concerns(message):
            self._head = message
            return
        head, self._head = self._head, None
        if head is None:
            await self._send(message)
        elif message.get("more_body") or not message.get("body"):
            await self._send(head)
            await self._send(message)
        else:
            await self._answer(head, message)

    def _concerns(self, head: Message) -> bool:
        headers = Headers(raw=head["headers"])
        if head["status"] != _OK or int(headers.get("content-length") or 0) > MAX_BYTES:
            return False
        if is_personal(self._path):
            return False
        if "etag" in headers:
            return True
        if headers.get("cache-control") == "no-store":
            return False
        return headers.get("content-type", "").startswith("application/json")

    async def _answer(self, head: Message, message: Message) -> None:
        headers = MutableHeaders(scope=head)
        if "etag" not in headers:
            headers["etag"] = strong_tag(message["body"])
            headers.setdefault("cache-control", CACHE)
            headers.setdefault("vary", "Authorization, Cookie")
        if has_already(self._known, headers["etag"]):
            kept = [item for item in head["headers"] if item[0].lower() in _KEPT]
            head = {**head, "status": _NOT_MODIFIED, "headers": kept}
            message = {**message, "body": b""}
        await self._send(head)
        await self._send(message)


def is_personal(path: str) -> bool:
    """Whether what is at this path tells of persons."""
    return any(path == place or path.startswith(f"{place}/") for place in PERSONAL)


def strong_tag(content: bytes) -> str:
    """The tag of some bytes (RFC 9110 §8.8.3)."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def has_already(if_none_match: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; weak comparison, as RFC 9110 §13.1.2 has it."""
    known = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return tag.removeprefix("W/") in known or known == ["*"]
