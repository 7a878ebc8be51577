"""Signing in with a password or a token, signing out, and choosing the language."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from sovproxy.api.cookies import clear_session_cookie, session_secret, set_session_cookie
from sovproxy.api.signing_in import (
    MustWait,
    address_of,
    begin_session,
    password_sign_in,
    record_failure,
)
from sovproxy.console import languages
from sovproxy.console.forms import CheckedForm, Form  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.links import BASE, link, own_path
from sovproxy.console.view import (  # FastAPI reads annotations
    READERS,
    AnonymousView,
    SignedInView,
)
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.own_account import BadSignIn
from sovproxy.usecases.access.sessions import close_session
from sovproxy.usecases.access.tokens import Principal, authenticate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View

router = APIRouter()

_YEAR = 365 * 86400


@router.get("/sign-in")
def sign_in_page(view: AnonymousView) -> Response:
    """Ask who it is."""
    return sign_in_form(view, view.request.query_params)


@router.post("/sign-in")
def sign_in(view: AnonymousView, form: Form) -> Response:
    """Begin a session, and go to the page that was wanted."""
    token = form.get("token", "").strip()
    try:
        principal = _by_token(view, token) if token else _by_password(view, form)
    except MustWait as wait:
        return refuse_to_wait(view, form, wait.seconds)
    except BadSignIn as error:
        return sign_in_form(view, form, view.language.say(str(error)), 401)
    if principal is None:
        problem = view.language.say("This token is unknown, expired or revoked.")
        return sign_in_form(view, form, problem, 401)
    if principal.role not in READERS:
        role = principal.role.value
        say = view.language.say
        problem = say("Tokens of the role %(role)s have no access to the console.", role=role)
        return sign_in_form(view, form, problem, 403)
    way = "token" if token else "password"
    return begin(view, principal, way, own_path(form.get("next", "")))


def begin(view: View, principal: Principal, way: str, path: str) -> Response:
    """Begin a session, and go to a page of the console."""
    secret, _ = begin_session(view.console.services, view.request, principal, way)
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    set_session_cookie(view.request, response, secret)
    return response


def sign_in_form(
    view: View, asked: Mapping[str, str], problem: str = "", status: int = 200
) -> Response:
    """The page that asks who it is, perhaps with what was wrong the last time."""
    values = {
        "next": own_path(asked.get("next", "")),
        "ended": asked.get("ended"),
        "left": asked.get("left") or asked.get("state"),  # the provider sends `state` back
        "login": asked.get("login", "")[:64],
        "by_token": "token" in asked,
        "provider": view.console.provider_label,
    }
    return render(view, "sign_in.html", status, problem=problem, **values)


def refuse_to_wait(view: View, asked: Mapping[str, str], seconds: int) -> Response:
    """The page for an address or an account that has failed too often."""
    say = view.language.say
    problem = say("Too many attempts have failed. Wait %(seconds)s seconds.", seconds=seconds)
    response = sign_in_form(view, asked, problem, 429)
    response.headers["retry-after"] = str(seconds)
    return response


@router.post("/sign-out")
def sign_out(view: SignedInView, form: CheckedForm) -> Response:
    """End the session; at the OpenID provider too, if it began there."""
    _ = form
    close_session(view.store, session_secret(view.request))
    record_act(view.store, view.principal, Act.SIGN_OUT, {}, now=view.now)
    response = _leaving(view)
    clear_session_cookie(view.request, response)
    return response


def _leaving(view: View) -> Response:
    """Go on by a page of ours: no form of ours may lead to another site, not even by redirect."""
    here = link("/sign-in", {"left": "1"})
    id_token = view.session.id_token if view.session else ""
    elsewhere = view.console.leaving_address(id_token) if id_token else ""
    if not elsewhere:
        return RedirectResponse(here, HTTPStatus.SEE_OTHER)
    response = render(view, "again.html", here=elsewhere)
    response.headers["refresh"] = f"0; url={elsewhere}"
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


def _by_password(view: View, form: Mapping[str, str]) -> Principal:
    """Raises MustWait, BadSignIn."""
    return password_sign_in(
        view.console.services,
        view.console.throttle,
        address_of(view.request),
        login=form.get("login", ""),
        password=form.get("password", ""),
        code=form.get("code", ""),
    )


def _by_token(view: View, token: str) -> Principal | None:
    """Whose token it is; None if it is nobody's. Raises MustWait."""
    address, throttle = address_of(view.request), view.console.throttle
    if wait := throttle.wait(address, view.now):
        raise MustWait(wait)
    principal = authenticate(view.store, token, view.now)
    if principal is None:
        throttle.failed(address, view.now)
        record_failure(view.store, throttle, address, "token", view.now)
    return principal
