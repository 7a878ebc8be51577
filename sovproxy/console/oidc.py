"""Signing in at the OpenID provider: there, and back."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from sovproxy.api.cookies import (
    clear_sign_in_cookie,
    set_session_cookie,
    set_sign_in_cookie,
    sign_in_secret,
)
from sovproxy.api.signing_in import address_of, begin_session, record_failure
from sovproxy.console.failures import Refused
from sovproxy.console.frame import render
from sovproxy.console.links import own_path
from sovproxy.console.sign_in import sign_in_form
from sovproxy.console.view import AnonymousView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.limits import network
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.oidc import NoAccess, person_principal
from sovproxy.usecases.access.oidc_http import BadAnswer, ProviderUnavailable

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.usecases.access.oidc import Provider

router = APIRouter(prefix="/oidc")
log = logging.getLogger(__name__)

DOWN: Final = mark(
    "%(provider)s cannot be reached now. Try again later, or sign in with an account of sovproxy."
)
BAD: Final = mark("Signing in at %(provider)s did not work. Try again.")
NO_ACCESS: Final = mark(
    "%(provider)s knows you, but you have no access here. Ask an admin of sovproxy."
)


@router.get("/start")
def start(view: AnonymousView) -> Response:
    """Send the browser to the provider."""
    provider = _provider(view)
    if wait := view.console.throttle.starts.check(network(address_of(view.request)), view.now):
        say = view.language.say
        text = say("Too many attempts have failed. Wait %(seconds)s seconds.", seconds=wait)
        raise Refused(429, text)
    going = own_path(view.request.query_params.get("next", ""))[:1000]
    try:
        url, browser = provider.start(view.store, going, view.now)
    except (ProviderUnavailable, BadAnswer) as error:
        log.warning("OpenID provider: %s", error)
        return _problem(view, DOWN, 503)
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    set_sign_in_cookie(view.request, response, browser)
    return response


@router.get("/callback")
def callback(view: AnonymousView) -> Response:
    """Take the browser back from the provider, and begin a session.

    The session's cookie is strict, so it would not go along with a redirect of a navigation that
    began at the provider: a page of ours goes on by itself.
    """
    provider, given = _provider(view), dict(view.request.query_params)
    try:
        person = provider.finish(view.store, given, sign_in_secret(view.request), view.now)
        principal = person_principal(view.store, provider.settings, person, view.now)
    except ProviderUnavailable as error:
        log.warning("OpenID provider: %s", error)
        return _problem(view, DOWN, 503)
    except (BadAnswer, NoAccess) as error:
        log.warning("OpenID sign-in refused: %s", error)
        address, throttle = address_of(view.request), view.console.throttle
        record_failure(view.store, throttle, address, "oidc", view.now)
        refused = isinstance(error, NoAccess)
        return _problem(view, NO_ACCESS if refused else BAD, 403 if refused else 400)
    secret, _ = begin_session(
        view.console.services, view.request, principal, "oidc", person.id_token
    )
    here = own_path(person.going)
    response = render(view, "again.html", here=here)
    response.headers["refresh"] = f"0; url={here}"
    set_session_cookie(view.request, response, secret)
    clear_sign_in_cookie(view.request, response)
    return response


def _provider(view: View) -> Provider:
    provider = view.console.services.oidc
    if provider is None:
        raise Refused(404)
    return provider


def _problem(view: View, text: str, status: int) -> Response:
    problem = view.language.say(text, provider=view.console.provider_label)
    response = sign_in_form(view, {}, problem, status)
    clear_sign_in_cookie(view.request, response)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = "30"
    return response
