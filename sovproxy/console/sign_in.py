"""Signing in with a token, signing out, and choosing the language."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sovproxy.api.cookies import clear_session_cookie, session_secret, set_session_cookie
from sovproxy.console import languages
from sovproxy.console.forms import CheckedForm, Form  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.links import BASE, link, own_path
from sovproxy.console.view import (  # FastAPI reads annotations
    READERS,
    AnonymousView,
    SignedInView,
)
from sovproxy.usecases.auditing import Act, record_act
from sovproxy.usecases.sessions import close_session, open_session
from sovproxy.usecases.tokens import authenticate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View
    from sovproxy.usecases.tokens import Principal

router = APIRouter()

_YEAR = 365 * 86400


@router.get("/sign-in")
def sign_in_page(view: AnonymousView) -> Response:
    """Ask for a token."""
    return _page(view, view.request.query_params)


@router.post("/sign-in")
def sign_in(view: AnonymousView, form: Form) -> Response:
    """Begin a session, and go to the page that was wanted."""
    address = view.request.client.host if view.request.client else ""
    say, throttle = view.language.say, view.console.throttle
    if wait := throttle.wait(address, view.now):
        problem = say("Too many attempts have failed. Wait %(seconds)s seconds.", seconds=wait)
        return _page(view, form, problem, 429)
    principal = authenticate(view.store, form.get("token", "").strip(), view.now)
    if principal is None:
        throttle.failed(address, view.now)
        return _page(view, form, say("This token is unknown, expired or revoked."), 401)
    if principal.role not in READERS:
        role = principal.role.value
        problem = say("Tokens of the role %(role)s have no access to the console.", role=role)
        return _page(view, form, problem, 403)
    return _begin(view, form, principal)


def _begin(view: View, form: Mapping[str, str], principal: Principal) -> Response:
    secret, _ = open_session(view.store, principal, view.now)
    record_act(view.store, principal, Act.SIGN_IN, {}, now=view.now)
    response = RedirectResponse(own_path(form.get("next", "")), HTTPStatus.SEE_OTHER)
    set_session_cookie(view.request, response, secret)
    return response


@router.post("/sign-out")
def sign_out(view: SignedInView, form: CheckedForm) -> Response:
    """End the session."""
    _ = form
    close_session(view.store, session_secret(view.request))
    record_act(view.store, view.principal, Act.SIGN_OUT, {}, now=view.now)
    response = RedirectResponse(link("/sign-in", {"left": "1"}), HTTPStatus.SEE_OTHER)
    clear_session_cookie(view.request, response)
    return response


@router.get("/language/{code}")
def choose_language(code: str, request: Request) -> Response:
    """Remember a language, and go back."""
    path = own_path(request.query_params.get("next", ""))
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    if any(language.code == code for language in languages.languages()):
        secure = request.url.scheme == "https"
        response.set_cookie(
            languages.COOKIE, code, _YEAR, path=BASE, httponly=True, samesite="lax", secure=secure
        )
    return response


def _page(view: View, asked: Mapping[str, str], problem: str = "", status: int = 200) -> Response:
    values = {
        "next": own_path(asked.get("next", "")),
        "ended": asked.get("ended"),
        "left": asked.get("left"),
    }
    return render(view, "sign_in.html", status, problem=problem, **values)
