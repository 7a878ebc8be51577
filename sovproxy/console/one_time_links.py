"""One-time links: the first admin's, and those by which people set their password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from sovproxy.api.signing_in import address_of
from sovproxy.console.failures import Refused
from sovproxy.console.forms import Form  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.links import link
from sovproxy.console.sign_in import begin
from sovproxy.console.view import AnonymousView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.accounts import AccountProblem, LinkFacts, LinkUsedUp
from sovproxy.usecases.access.passwords import WeakPassword

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View

router = APIRouter()

NOT_ALIKE = mark("The two passwords are not alike.")


@router.get("/first")
def first_page(view: AnonymousView) -> Response:
    """Ask the first admin for login name and password."""
    return _page(view, view.request.query_params, first=True)


@router.post("/first")
def become_first(view: AnonymousView, form: Form) -> Response:
    """Make the first admin, who is signed in at once."""
    _link(view, form, first=True)
    try:
        principal = accounts.use_first_link(
            view.store,
            form.get("code", ""),
            view.now,
            login=form.get("login", ""),
            name=form.get("name", ""),
            password=_password(form),
        )
    except LinkUsedUp:
        raise _dead(view) from None
    except (AccountProblem, WeakPassword) as error:
        return _page(view, form, str(error), first=True)
    return begin(view, principal, "link", link("/"))


@router.get("/link")
def link_page(view: AnonymousView) -> Response:
    """Ask the owner of an account for a password."""
    return _page(view, view.request.query_params, first=False)


@router.post("/link")
def use_link(view: AnonymousView, form: Form) -> Response:
    """Set the password. With a second factor, its owner signs in as always."""
    found = _link(view, form, first=False)
    try:
        principal = accounts.use_link(view.store, form.get("code", ""), _password(form), view.now)
    except LinkUsedUp:
        raise _dead(view) from None
    except WeakPassword as error:
        return _page(view, form, str(error), first=False)
    if found.account and found.account.second_factor:
        return RedirectResponse(link("/sign-in"), 303)
    return begin(view, principal, "link", link("/"))


def _page(view: View, asked: Mapping[str, str], problem: str = "", *, first: bool) -> Response:
    found = _link(view, asked, first=first)
    values = {
        "code": asked.get("code", ""),
        "account": found.account,
        "expires": found.expires,
        "login": asked.get("login", "")[:64],
        "name": asked.get("name", "")[:64],
        "address": link("/first" if first else "/link"),
    }
    said = view.language.say(problem) if problem else ""
    return render(view, "link.html", 422 if problem else 200, problem=said, **values)


def _link(view: View, asked: Mapping[str, str], *, first: bool) -> LinkFacts:
    """What the link of a request leads to. Raises Refused, and makes guessers wait."""
    address, throttle = address_of(view.request), view.console.throttle
    if wait := throttle.wait(address, view.now):
        say = view.language.say
        text = say("Too many attempts have failed. Wait %(seconds)s seconds.", seconds=wait)
        raise Refused(429, text)
    try:
        found = accounts.find_link(view.store, asked.get("code", ""), view.now)
    except LinkUsedUp:
        throttle.failed(address, view.now)
        raise _dead(view) from None
    if (found.account is None) != first:
        raise _dead(view)
    return found


def _dead(view: View) -> Refused:
    say = view.language.say
    advice = say("Ask an admin for a new one. The first admin's stands in the last start's output.")
    return Refused(404, f"{say(accounts.NO_LINK)} {advice}")


def _password(form: Mapping[str, str]) -> str:
    """The password that was typed twice. Raises WeakPassword when the two differ."""
    password = form.get("password", "")
    if password != form.get("again", ""):
        raise WeakPassword(NOT_ALIKE)
    return password
