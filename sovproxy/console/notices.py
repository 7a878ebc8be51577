"""One sentence about what a form has just done, shown once on the page that follows.

It travels in a cookie that is signed with a secret of the session: no link and no other site can
make the console say something.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi.responses import RedirectResponse

from sovproxy.console.links import BASE, link

if TYPE_CHECKING:
    from fastapi import Response

    from sovproxy.console.view import View

COOKIE: Final = "sovproxy_notice"
MAX_AGE: Final = 60
"""Seconds that a notice waits for its page."""


def done(view: View, path: str, notice: str, /, **values: object) -> RedirectResponse:
    """Go to a page of the console (`/policy`) and say there what was done.

    `notice` is an English text that was marked for translation, with `%(name)s` for `values`.
    """
    response = RedirectResponse(link(path), HTTPStatus.SEE_OTHER)
    if view.session:
        shown = {name: str(value)[:200] for name, value in values.items()}
        content = json.dumps([notice, shown]).encode()
        sent = f"{_packed(content)}.{_packed(_signature(view.session.csrf, content))}"
        secure = view.request.url.scheme == "https"
        response.set_cookie(
            COOKIE, sent, MAX_AGE, path=BASE, httponly=True, samesite="strict", secure=secure
        )
    return response


def waiting_notice(view: View) -> str:
    """The notice that came with a request, in the reader's language; empty without one."""
    sent = view.request.cookies.get(COOKIE, "")
    if not sent or view.session is None:
        return ""
    content = _verified(sent, view.session.csrf)
    if not content:
        return ""
    text, values = json.loads(content)
    return view.language.say(text, **values)


def forget(response: Response) -> None:
    """Take the notice away once a page has shown it."""
    response.delete_cookie(COOKIE, path=BASE, httponly=True, samesite="strict")


def _verified(sent: str, secret: str) -> bytes:
    parts = sent.split(".")
    try:
        content, signature = (base64.urlsafe_b64decode(part) for part in parts)
    except ValueError:
        return b""
    return content if hmac.compare_digest(signature, _signature(secret, content)) else b""


def _signature(secret: str, content: bytes) -> bytes:
    return hmac.digest(secret.encode(), b"notice:" + content, hashlib.sha256)


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()
