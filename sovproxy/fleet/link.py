"""The node's line to the API: what it asks and posts, and how that can fail."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
from pydantic import ValidationError

from sovproxy.errors import SovproxyError
from sovproxy.events.text import clean_text
from sovproxy.fleet.messages import MAX_REQUESTS, OwnCatalogue, OwnRequests, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from sovproxy.atlas.entries import Entries
    from sovproxy.fleet.messages import OwnRequest

WAIT_SECONDS: Final = 25
TIMEOUT: Final = httpx.Timeout(WAIT_SECONDS + 15.0, connect=5.0)

_LATER: Final = frozenset({401, 403, 405, 408, 425})
"""Statuses that an admin or time mends: a token, a role, an API that is older than the node."""

_BUSY: Final = 429
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404


class Unreachable(SovproxyError):
    """The API cannot be reached, or cannot answer now."""


class Refused(SovproxyError):
    """The API will never take this message."""


class Busy(SovproxyError):
    """The API does not take this message now; others it may take."""


class Link:
    """Speaks to the API at `url`. `token` is asked before every request, so it can be renewed.

    Proxy settings of the environment are not used: they may well name the node itself. `authority`
    is a PEM file with the roots to trust instead of the public ones. Raises OSError without it.
    """

    def __init__(self, url: str, token: Callable[[], str], authority: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        verify = ssl.create_default_context(cafile=str(authority)) if authority else True
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT, trust_env=False, follow_redirects=False, verify=verify
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def state(self, known: str, wait: float = WAIT_SECONDS) -> State | None:
        """Wait for a state other than `known`; None when there is none. Raises Unreachable."""
        path = "/api/v1/fleet/state"
        response = await self._send("GET", path, params={"known": known, "wait": wait})
        if response.status_code == _NOT_MODIFIED:
            return None
        if not response.is_success:
            raise Unreachable(_problem(response))
        try:
            return State.model_validate_json(response.content)
        except ValidationError as error:
            message = f"{path} answered with a state that does not fit: {_first(error)}"
            raise Unreachable(message) from error

    async def catalogue(self, digest: str) -> Entries:
        """The administration's own entries in the version `digest`. Raises Unreachable."""
        path = "/api/v1/fleet/catalogue"
        response = await self._send("GET", path)
        if not response.is_success:
            raise Unreachable(_problem(response))
        try:
            found = OwnCatalogue.model_validate_json(response.content).entries()
        except ValueError as error:
            raise Unreachable(f"{path} answered with what does not fit: {_first(error)}") from error
        if found.digest != digest:
            raise Unreachable("the entries of the catalogue have changed meanwhile")
        return found

    async def requests(self, clients: Sequence[str]) -> list[OwnRequest]:
        """What one client asked for under these pseudonyms, newest first. Raises Unreachable."""
        path = "/api/v1/exceptions/mine"
        wanted = {"client": list(clients), "limit": MAX_REQUESTS}
        response = await self._send("GET", path, params=wanted)
        if not response.is_success:
            raise Unreachable(_problem(response))
        try:
            return OwnRequests.model_validate_json(response.content).items
        except ValidationError as error:
            raise Unreachable(f"{path} answered with what does not fit: {_first(error)}") from error

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON, and give the answer's JSON object. Raises Unreachable, Refused, Busy."""
        response = await self._send("POST", path, json=body)
        if response.is_success:
            return _object(response)
        if response.status_code == _BUSY:
            raise Busy(_problem(response))
        if response.is_server_error or response.status_code in _LATER or _is_no_address(response):
            raise Unreachable(_problem(response))
        raise Refused(_problem(response))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401  # httpx's own arguments
        try:
            headers = {"authorization": f"Bearer {self._token()}"}
            return await self._client.request(method, self._url + path, headers=headers, **more)
        except (httpx.HTTPError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"{self._url} cannot be reached: {reason}") from error


def _first(error: ValueError) -> str:
    """The first of what is wrong, without what arrived."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{first['loc']}: {first['msg']}"


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_no_address(response: httpx.Response) -> bool:
    """Whether the API has no such address at all, as one that is older than the node."""
    kind = str(_object(response).get("type", "urn:sovproxy:problem:not-found"))
    return response.status_code == _NOT_FOUND and kind.endswith(":not-found")


def _problem(response: httpx.Response) -> str:
    detail = clean_text(str(_object(response).get("detail", "")), 500)
    return f"{response.url.path} answered {response.status_code} {detail}".rstrip()
