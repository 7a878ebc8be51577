"""A room on Visio for a worker who was stopped before a meeting, by Visio's external API.

The contract is `docs/openapi.yaml` of suitenumerique/meet (21 August 2026): a token on behalf of an
e-mail address, then the room. The administration's secret is known here alone; the token is used
for one room and forgotten. What Visio answers is believed only if it is a room on Visio's own host.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.errors import SovproxyError
from sovproxy.usecases.access.oidc_settings import is_safe_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.settings import Settings

MAX_SECONDS: Final = 8.0
"""For both requests together: the worker waits before a meeting."""

MAX_BYTES: Final = 64 * 1024
MAX_EMAIL: Final = 254
EMAIL_PATTERN: Final = (
    r"^$|^[^@\s<>\"',;:\\()\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,187}[A-Za-z0-9])?$"
)

TOKEN_PATH: Final = "/external-api/v1.0/application/token/"  # noqa: S105  # a path
ROOMS_PATH: Final = "/external-api/v1.0/rooms/"

AccessLevel = Literal["public", "trusted", "restricted"]

_SLUG: Final = re.compile(r"[a-z0-9]{3}-[a-z0-9]{4}-[a-z0-9]{3}")


class UnusableVisio(SovproxyError):
    """The settings of Visio do not fit together."""


class NoOwner(SovproxyError):
    """There is no e-mail address on behalf of which Visio could be asked."""


class UnknownToVisio(SovproxyError):
    """Visio knows nobody under the address, or the administration may not act for it."""


class VisioUnavailable(SovproxyError):
    """Visio cannot be reached, refuses the administration, or answers nothing that can be used."""


@dataclass(frozen=True, slots=True)
class VisioSettings:
    """Visio as the administration uses it.

    `url` is its origin. Rooms belong to `owner`, or to the worker whose address is in one of
    `domains`. `access_level` says who gets in without waiting; Visio chooses if it is empty.
    """

    url: str
    client_id: str
    client_secret: str
    owner: str
    domains: frozenset[str]
    access_level: AccessLevel | Literal[""]

    def owner_of(self, email: str) -> str:
        """On whose behalf a room is made for a worker who says to have this address, or none.

        Raises NoOwner.
        """
        domain = email.rpartition("@")[2].lower()
        found = email if domain and domain in self.domains else self.owner
        if not found:
            known = ", ".join(sorted(self.domains))
            raise NoOwner(f"an e-mail address in {known} is wanted, and this browser has none set")
        return found


class RoomInput(BaseModel):
    """What the extension tells: the worker's address, where the administration has set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: str = Field(
        default="",
        max_length=MAX_EMAIL,
        pattern=EMAIL_PATTERN,
        examples=["ada@ministere.example"],
        description="Needed only if rooms belong to workers; then its domain must be a known one.",
    )


class Room(BaseModel):
    """A room that is ready: its link, for everybody who is to meet there."""

    url: str = Field(examples=["https://visio.numerique.gouv.fr/abc-defg-hij"])


def read_visio(settings: Settings) -> VisioSettings | None:
    """Visio as the settings have it, or None. Raises UnusableVisio, OSError."""
    if not settings.visio_url:
        return None
    url = settings.visio_url.rstrip("/")
    if not is_safe_url(url) or urlsplit(url).path:
        wanted = "an https:// address without path is wanted (http:// only for this machine)"
        raise UnusableVisio(f"SOVPROXY_VISIO_URL: {wanted}, got {url!r}")
    secret_file = settings.visio_client_secret_file
    if not settings.visio_client_id or secret_file is None:
        wanted = "SOVPROXY_VISIO_CLIENT_ID and SOVPROXY_VISIO_CLIENT_SECRET_FILE"
        raise UnusableVisio(f"with SOVPROXY_VISIO_URL, {wanted} are wanted too")
    if not settings.visio_owner and not settings.visio_email_domains:
        wanted = "SOVPROXY_VISIO_OWNER or SOVPROXY_VISIO_EMAIL_DOMAINS"
        raise UnusableVisio(f"whose rooms are they? {wanted} is wanted")
    return VisioSettings(
        url=url,
        client_id=settings.visio_client_id,
        client_secret=secret_file.read_text("utf-8").strip(),
        owner=_owner(settings.visio_owner),
        domains=frozenset(domain.lower() for domain in settings.visio_email_domains),
        access_level=_level(settings.visio_access_level),
    )


def _owner(email: str) -> str:
    if len(email) > MAX_EMAIL or not re.fullmatch(EMAIL_PATTERN, email):
        raise UnusableVisio(f"SOVPROXY_VISIO_OWNER: an e-mail address is wanted, got {email!r}")
    return email


def _level(text: str) -> AccessLevel | Literal[""]:
    for level in get_args(AccessLevel):
        if text == level:
            found: AccessLevel = level
            return found
    if text:
        wanted = ", ".join(get_args(AccessLevel))
        raise UnusableVisio(f"SOVPROXY_VISIO_ACCESS_LEVEL: one of {wanted} is wanted, got {text!r}")
    return ""


async def create_room(visio: VisioSettings, wanted: RoomInput) -> Room:
    """Make a room. Raises NoOwner, UnknownToVisio, VisioUnavailable; takes 8 seconds at most."""
    owner = visio.owner_of(wanted.email)
    try:
        async with asyncio.timeout(MAX_SECONDS), _client(visio.url) as client:
            token = await _token(client, visio, owner)
            return await _room(client, visio, token)
    except TimeoutError:
        raise VisioUnavailable(f"{visio.url} took longer than {MAX_SECONDS:g} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VisioUnavailable(f"{visio.url}: {type(error).__name__}: {error}") from error


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        timeout=MAX_SECONDS,
        follow_redirects=False,  # the secret goes to this host and no other
        trust_env=False,
        verify=_trusted(),
    )


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


async def _token(client: httpx.AsyncClient, visio: VisioSettings, owner: str) -> str:
    """A token on behalf of an address: in Visio's contract that is the `scope`."""
    asked = {
        "client_id": visio.client_id,
        "client_secret": visio.client_secret,
        "grant_type": "client_credentials",
        "scope": owner,
    }
    status, answer = await _post(client, TOKEN_PATH, asked)
    if status in {400, 403, 404}:  # no such user; a domain that is not this application's
        raise UnknownToVisio("Visio knows no such person, or may not act for them here")
    token = answer.get("access_token")
    if status != 200 or not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,8192}", token):
        raise VisioUnavailable(f"{visio.url}{TOKEN_PATH} answered {status} and gave no token")
    return token


async def _room(client: httpx.AsyncClient, visio: VisioSettings, token: str) -> Room:
    asked = {"access_level": visio.access_level} if visio.access_level else {}
    bearer = {"authorization": f"Bearer {token}"}
    status, answer = await _post(client, ROOMS_PATH, asked, bearer)
    slug = answer.get("slug")
    if status != 201 or not isinstance(slug, str) or not _SLUG.fullmatch(slug):
        raise VisioUnavailable(f"{visio.url}{ROOMS_PATH} answered {status} and gave no room")
    url = f"{visio.url}/{slug}"
    if answer.get("url") != url:
        raise VisioUnavailable(f"{visio.url}{ROOMS_PATH} gave a room that is not its own")
    return Room(url=url)


async def _post(
    client: httpx.AsyncClient,
    path: str,
    asked: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of an answer of 64 KiB at most; an empty one if it is no such thing.

    Raises VisioUnavailable, httpx.HTTPError.
    """
    content = bytearray()
    async with client.stream("POST", path, json=asked, headers=headers) as response:
        async for part in response.aiter_bytes():
            content += part
            if len(content) > MAX_BYTES:
                raise VisioUnavailable(f"{path} answered more than {MAX_BYTES} bytes")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = {}
    return response.status_code, answer if isinstance(answer, dict) else {}
