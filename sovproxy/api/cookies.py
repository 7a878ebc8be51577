"""The session's cookie: no script can read it, no other site can send it, few paths get it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from sovproxy.usecases.sessions import LIFETIME

if TYPE_CHECKING:
    from fastapi import Request, Response

NAME: Final = "sovproxy_session"
SECURE_NAME: Final = "__Secure-sovproxy_session"
CSRF_HEADER: Final = "X-Sovproxy-CSRF"
PATHS: Final = ("/api/v1", "/console")
_SECONDS: Final = int(LIFETIME.total_seconds())


def session_secret(request: Request) -> str:
    """What the session's cookie of this request holds; empty if there is none."""
    return request.cookies.get(_name(request), "")


def set_session_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the cookie, to the API and to the console. `Secure`, but for a loopback host."""
    for path in PATHS:
        response.set_cookie(
            _name(request),
            secret,
            max_age=_SECONDS,
            path=path,
            secure=not _is_loopback(request),
            httponly=True,
            samesite="strict",
        )


def clear_session_cookie(request: Request, response: Response) -> None:
    """Take the cookie back."""
    for path in PATHS:
        response.delete_cookie(
            _name(request),
            path=path,
            secure=not _is_loopback(request),
            httponly=True,
            samesite="strict",
        )


def _name(request: Request) -> str:
    return NAME if _is_loopback(request) else SECURE_NAME


def _is_loopback(request: Request) -> bool:
    """By the host that the browser asked for: behind a proxy the connection may come from here."""
    host = request.url.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
