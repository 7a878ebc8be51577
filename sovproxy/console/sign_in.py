"""Signing in with a token, signing out, and choosing the language."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from sovproxy.api.cookies import clear_session_cookie, session_secret, set_session_cookie
from sovproxy.console import languages
from sovproxy.console.failures import Refused
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


async def posted(request: Request) -> dict[str, str]:
    """The fields of a form that came from a page of ours. Raises Refused for one from elsewhere."""
    if not _comes_from_here(request):
        raise Refused(403, "the form was sent from another site")
    fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=50)
    return {name: values[-1] for name, values in fields.items()}


def _comes_from_here(request: Request) -> bool:
    """By what browsers say of themselves: Sec-Fetch-Site, else Origin; other clients say nothing.

    Origin alone would not do: the referrer policy of the API makes it `null`.
    """
    if site := request.headers.get("sec-fetch-site", ""):
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return not origin or origin == f"{request.url.scheme}://{request.url.netloc}"


Form = Annotated[dict[str, str], Depends(posted)]


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
def sign_out(view: SignedInView, form: Form) -> Response:
    """End the session."""
    shown = form.get("csrf", "").encode()
    if not view.session or not hmac.compare_digest(view.session.csrf.encode(), shown):
        raise Refused(403, "the form does not belong to this session")
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
