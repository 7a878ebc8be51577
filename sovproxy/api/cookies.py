"""The session's cookie: no script can read it, no other site can send it, few paths get it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from sovproxy.usecases.access.sessions import LIFETIME

if TYPE_CHECKING:
    from fastapi import Request, Response

NAME: Final = "sovproxy_session"
SECURE_NAME: Final = "__Secure-sovproxy_session"
CSRF_HEADER: Final = "X-Sovproxy-CSRF"
SIGN_IN_NAME: Final = "sovproxy_sign_in"
SIGN_IN_PATH: Final = "/console/oidc"
SIGN_IN_SECONDS: Final = 600
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


def sign_in_secret(request: Request) -> str:
    """What the cookie of a sign-in at the OpenID provider holds; empty if there is none."""
    return request.cookies.get(_sign_in_name(request), "")


def set_sign_in_cookie(request: Request, response: Response, secret: str) -> None:
    """Bind a sign-in to this browser. `Lax`: the way back begins at the provider's site."""
    response.set_cookie(
        _sign_in_name(request),
        secret,
        max_age=SIGN_IN_SECONDS,
        path=SIGN_IN_PATH,
        secure=not _is_loopback(request),
        httponly=True,
        samesite="lax",
    )


def clear_sign_in_cookie(request: Request, response: Response) -> None:
    """Take the cookie of a sign-in back."""
    response.delete_cookie(
        _sign_in_name(request),
        path=SIGN_IN_PATH,
        secure=not _is_loopback(request),
        httponly=True,
        samesite="lax",
    )


def _sign_in_name(request: Request) -> str:
    return SIGN_IN_NAME if _is_loopback(request) else f"__Secure-{SIGN_IN_NAME}"


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
