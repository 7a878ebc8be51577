"""What the console answers when something is wrong: a page that says what to do."""

from __future__ import annotations

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from sovproxy.api.headers import SECURITY_HEADERS
from sovproxy.console.frame import render
from sovproxy.console.links import link, own_path
from sovproxy.console.view import SignInNeeded, anonymous, signed_in
from sovproxy.prompt.languages import mark
from sovproxy.store.database import StoreUnavailable

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from sovproxy.console.view import View

log = logging.getLogger(__name__)

RETRY_SECONDS = 5

_WORDS = {
    400: (mark("That cannot be read"), mark("Go back, and mend the address or the form.")),
    403: (
        mark("Not for this account"),
        mark("Your account's role may not see this; an admin can change it."),
    ),
    404: (mark("There is nothing here"), mark("The address may be old or mistyped.")),
    405: (mark("That is not how this page works"), mark("Go back and try again.")),
    412: (
        mark("Somebody changed it in the meantime"),
        mark("Nothing of yours was saved. Go back, reload the page and say it again."),
    ),
    503: (
        mark("The store cannot be used now"),
        mark("Nothing was changed and nothing is lost. Try again in a moment."),
    ),
    500: (mark("sovproxy made a mistake"), mark("Its log says more.")),
}


class Refused(Exception):
    """A request that a page cannot answer, with its status and what is wrong in words."""

    def __init__(self, status: int, detail: str = "") -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a page."""
    app.add_exception_handler(SignInNeeded, _on_sign_in_needed)
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StoreUnavailable, _on_store_unavailable)
    app.add_exception_handler(Exception, _on_unexpected)


def failure_page(request: Request, status: int, detail: str = "") -> Response:
    """The page about a failure, in the reader's language."""
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        with suppress(SignInNeeded, StoreUnavailable):
            return _page(signed_in(request), status, detail)  # the menu leads on
    return _page(anonymous(request), status, detail)


def _page(view: View, status: int, detail: str) -> Response:
    title, advice = _WORDS.get(status, _WORDS[400 if status < 500 else 500])
    say = view.language.say
    said = "" if status == HTTPStatus.FORBIDDEN and detail else say(advice)  # not always the role
    return render(view, "failure.html", status, title=say(title), advice=said, detail=detail)


def _on_sign_in_needed(request: Request, error: Exception) -> Response:
    ended = "1" if isinstance(error, SignInNeeded) and error.ended else ""
    url = request.url
    here = f"{url.path}?{url.query}" if url.query else url.path
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        return _again(request, here)
    return RedirectResponse(link("/sign-in", {"next": here, "ended": ended}), HTTPStatus.SEE_OTHER)


def _again(request: Request, here: str) -> Response:
    """Ask once more from our own site: the session's cookie does not come along from another."""
    response = render(anonymous(request), "again.html", here=own_path(here))
    response.headers["refresh"] = f"0; url={own_path(here)}"
    return response


def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # for the type checker
    return failure_page(request, error.status, error.detail)


def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # for the type checker
    return failure_page(request, error.status_code)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # for the type checker
    return failure_page(request, 400)


def _on_store_unavailable(request: Request, error: Exception) -> Response:
    log.error("console: %s", error)
    response = failure_page(request, 503)
    response.headers["retry-after"] = str(RETRY_SECONDS)
    return response


def _on_unexpected(request: Request, error: Exception) -> Response:
    """Say nothing of the inside. A 500 passes no middleware: it brings all its headers."""
    _ = error
    response = failure_page(request, 500)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
