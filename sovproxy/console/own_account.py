"""One's own account: password, second factor, sessions."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from urllib.parse import quote

import segno
from fastapi import APIRouter, Response

from sovproxy.api.cookies import session_secret
from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.one_time_links import NOT_ALIKE
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access import own_account, sessions
from sovproxy.usecases.access.accounts import AccountProblem, get_account
from sovproxy.usecases.access.passwords import WeakPassword

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sovproxy.console.view import View
    from sovproxy.usecases.access.accounts import AccountFacts

router = APIRouter(prefix="/account")

PASSWORD_CHANGED = mark("Your password is changed. Your other sessions have ended.")
FACTOR_OFF = mark("The second factor is off.")
SESSION_ENDED = mark("The session has ended.")
OTHERS_ENDED = mark("Your other sessions have ended.")


@router.get("")
def account_page(view: SignedInView) -> Response:
    """Show one's own account."""
    return _page(view)


@router.post("/password")
def change_password(view: SignedInView, form: CheckedForm) -> Response:
    """Change the password, with the present one."""

    def change() -> None:
        if form.get("new", "") != form.get("again", ""):
            raise WeakPassword(NOT_ALIKE)
        own_account.change_password(
            view.store,
            view.principal,
            view.now,
            old=form.get("old", ""),
            new=form.get("new", ""),
            keep_session=_present(view),
        )

    problem = _attempt(view, change)
    return _page(view, problem, "password") if problem else done(view, "/account", PASSWORD_CHANGED)


@router.post("/second-factor/begin")
def begin_second_factor(view: SignedInView, form: CheckedForm) -> Response:
    """Show a new secret, as a picture and in letters. It counts once a code of it was sent."""
    _ = form
    try:
        secret, uri = own_account.begin_second_factor(view.store, view.principal)
    except AccountProblem as error:
        raise Refused(400, view.language.say(str(error))) from None
    return _enrol_page(view, secret, uri)


@router.post("/second-factor")
def enrol(view: SignedInView, form: CheckedForm) -> Response:
    """Turn the second factor on, and show the recovery codes, once."""
    secret, codes = form.get("secret", ""), list[str]()

    def turn_on() -> None:
        codes.extend(
            own_account.enrol_second_factor(
                view.store,
                view.principal,
                view.now,
                secret=secret,
                code=form.get("code", ""),
                password=form.get("password", ""),
                keep_session=_present(view),
            )
        )

    if problem := _attempt(view, turn_on):
        uri = own_account.uri_of(view.store, view.principal, secret)
        return _enrol_page(view, secret, uri, problem) if uri else _page(view, problem)
    return render(view, "recovery_codes.html", codes=codes)


@router.post("/second-factor/off")
def turn_off(view: SignedInView, form: CheckedForm) -> Response:
    """Turn the second factor off, with password and code."""

    def remove() -> None:
        own_account.remove_second_factor(
            view.store,
            view.principal,
            view.now,
            password=form.get("password", ""),
            code=form.get("code", ""),
            keep_session=_present(view),
        )

    problem = _attempt(view, remove)
    return _page(view, problem, "factor") if problem else done(view, "/account", FACTOR_OFF)


@router.post("/sessions/end")
def end_session(view: SignedInView, form: CheckedForm) -> Response:
    """End one of one's own sessions."""
    if not sessions.end_session(view.store, view.principal, form.get("session", ""), view.now):
        raise Refused(404)
    return done(view, "/account", SESSION_ENDED)


@router.post("/sessions/end-others")
def end_others(view: SignedInView, form: CheckedForm) -> Response:
    """End all of one's own sessions but this one."""
    _ = form
    secret = session_secret(view.request)
    sessions.end_other_sessions(view.store, view.principal, secret, view.now)
    return done(view, "/account", OTHERS_ENDED)


def _attempt(view: View, change: Callable[[], None]) -> str:
    """Try a change that shows a password; what was wrong, or empty. Guessing has to wait."""
    key, limit = view.principal.token_id, view.console.throttle.accounts
    say = view.language.say
    if wait := limit.check(key, view.now):
        return say("Too many attempts have failed. Wait %(seconds)s seconds.", seconds=wait)
    try:
        change()
    except WeakPassword as error:
        limit.undo(key)
        return say(str(error))
    except AccountProblem as error:
        return say(str(error))
    limit.undo(key)
    return ""


def _page(view: View, problem: str = "", part: str = "") -> Response:
    return render(
        view,
        "account.html",
        422 if problem else 200,
        account=_account(view),
        sessions=sessions.list_sessions(view.store, view.principal, view.now),
        present=view.session.key if view.session else "",
        problem=problem,
        part=part,
    )


def _account(view: View) -> AccountFacts | None:
    """One's own account; None for a token."""
    if not view.principal.is_account:
        return None
    return get_account(view.store, view.principal.token_id)


def _enrol_page(view: View, secret: str, uri: str, problem: str = "") -> Response:
    groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
    values: Mapping[str, object] = {
        "secret": secret,
        "letters": " ".join(groups),
        "picture": _picture(uri),
        "problem": problem,
    }
    response = render(view, "second_factor.html", 422 if problem else 200, **values)
    # The picture is in the page itself: an address of its own would carry the secret.
    policy = response.headers["content-security-policy"]
    response.headers["content-security-policy"] = policy.replace(
        "img-src 'self'", "img-src 'self' data:"
    )
    return response


def _picture(uri: str) -> str:
    """The QR code as a data URI."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(out, kind="svg", scale=5, border=4, light="#fff", dark="#000")
    return "data:image/svg+xml," + quote(out.getvalue().decode())


def _present(view: View) -> str:
    return sessions.session_id(session_secret(view.request))
