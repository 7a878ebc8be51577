"""Accounts and tokens, as admins run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Response

from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import Shown, render
from sovproxy.console.links import link
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView, View
from sovproxy.prompt.languages import mark
from sovproxy.store.times import from_microseconds
from sovproxy.usecases.access import accounts, tokens
from sovproxy.usecases.access.accounts import (
    ACCOUNT_ROLES,
    LINK_LIFETIME,
    AccountProblem,
    NoSuchAccount,
)
from sovproxy.usecases.access.tokens import InvalidToken, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

router = APIRouter()

TOKEN_DAYS: Final = (30, 90, 365, 1095)
ROLE_CHANGED = mark("The role is changed.")
SHUT_OUT = mark("The account is disabled.")
LET_IN = mark("The account is enabled.")
REMOVED = mark("The account is removed.")
SESSIONS_ENDED = mark("The sessions of the account have ended.")
FACTOR_DROPPED = mark("The second factor is taken off.")
REVOKED = mark("The token is revoked.")
HAND_OVER = mark("It can be seen only now. Hand it over in a way that nobody else reads.")
BAD_TOKEN = mark("A token needs a name of 1 to 64 printable characters, a role and a lifetime.")


def admin_view(view: SignedInView) -> View:
    """The view of a page for admins only. Raises Refused."""
    if view.principal.role is not Role.ADMIN:
        raise Refused(403)
    return view


AdminView = Annotated[View, Depends(admin_view)]


@router.get("/accounts")
def accounts_page(view: AdminView) -> Response:
    """List the accounts."""
    return _accounts(view)


@router.post("/accounts")
def create_account(view: AdminView, form: CheckedForm) -> Response:
    """Make an account, and show its one-time link."""
    try:
        facts, code = accounts.create_account(
            view.store,
            view.principal,
            view.now,
            login=form.get("login", ""),
            name=form.get("name", ""),
            role=_role(form),
        )
    except AccountProblem as error:
        return _accounts(view, view.language.say(str(error)), form)
    return _show_link(view, facts.name, code)


@router.get("/accounts/{account_id}")
def account_page(account_id: str, view: AdminView) -> Response:
    """Show one account and what can be done with it."""
    return _account(view, account_id)


@router.post("/accounts/{account_id}/link")
def issue_link(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """Make a new one-time link."""
    _ = form
    try:
        facts = accounts.get_account(view.store, account_id)
        code = accounts.issue_link(view.store, view.principal, account_id, view.now)
    except AccountProblem as error:
        return _failed(view, account_id, error)
    return _show_link(view, facts.name, code)


@router.post("/accounts/{account_id}/role")
def change_role(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """Give an account another role."""
    return _change(
        view,
        account_id,
        ROLE_CHANGED,
        lambda: accounts.change_role(view.store, view.principal, account_id, _role(form), view.now),
    )


@router.post("/accounts/{account_id}/disable")
def disable(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """Shut an account out, or let it in again."""
    out = form.get("disabled") == "1"
    return _change(
        view,
        account_id,
        SHUT_OUT if out else LET_IN,
        lambda: accounts.set_disabled(
            view.store, view.principal, account_id, view.now, disabled=out
        ),
    )


@router.post("/accounts/{account_id}/end-sessions")
def end_sessions(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """End the sessions of an account."""
    _ = form

    def end() -> None:
        accounts.end_sessions(view.store, view.principal, account_id, view.now)

    return _change(view, account_id, SESSIONS_ENDED, end)


@router.post("/accounts/{account_id}/second-factor")
def drop_second_factor(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """Take the second factor off."""
    _ = form

    def drop() -> None:
        accounts.drop_second_factor(view.store, view.principal, account_id, view.now)

    return _change(view, account_id, FACTOR_DROPPED, drop)


@router.post("/accounts/{account_id}/delete")
def delete_account(account_id: str, view: AdminView, form: CheckedForm) -> Response:
    """Remove an account."""
    _ = form
    try:
        accounts.delete_account(view.store, view.principal, account_id, view.now)
    except AccountProblem as error:
        return _failed(view, account_id, error)
    return done(view, "/accounts", REMOVED)


@router.get("/tokens")
def tokens_page(view: AdminView) -> Response:
    """List the tokens."""
    return _tokens(view)


@router.post("/tokens")
def create_token(view: AdminView, form: CheckedForm) -> Response:
    """Make a token, and show it once."""
    try:
        secret, facts = tokens.create_token_as(
            view.store,
            view.principal,
            view.now,
            role=Role(form.get("role", "")),
            name=form.get("name", ""),
            days=int(form.get("days", "")[:5]),
        )
    except (InvalidToken, ValueError):
        return _tokens(view, view.language.say(BAD_TOKEN), form)
    say = view.language.say
    title, back = say("The token of %(name)s", name=facts.name), link("/tokens")
    advice = say("It can be seen only now. Who has it may do what its role may do: keep it safe.")
    return render(view, "secret.html", title=title, secret=secret, advice=advice, back=back)


@router.post("/tokens/revoke")
def revoke_token(view: AdminView, form: CheckedForm) -> Response:
    """Revoke a token."""
    try:
        tokens.revoke_token(view.store, form.get("id", ""), view.now, view.principal)
    except InvalidToken:
        raise Refused(404) from None
    return done(view, "/tokens", REVOKED)


def _change(view: View, account_id: str, notice: str, change: Callable[[], None]) -> Response:
    try:
        change()
    except AccountProblem as error:
        return _failed(view, account_id, error)
    return done(view, f"/accounts/{account_id}", notice)


def _failed(view: View, account_id: str, error: AccountProblem) -> Response:
    if isinstance(error, NoSuchAccount):
        raise Refused(404)
    return _account(view, account_id, view.language.say(str(error)))


def _account(view: View, account_id: str, problem: str = "") -> Response:
    try:
        facts = accounts.get_account(view.store, account_id)
    except NoSuchAccount:
        raise Refused(404) from None
    return render(
        view,
        "account_admin.html",
        409 if problem else 200,
        account=facts,
        roles=_roles(view),
        problem=problem,
    )


def _accounts(view: View, problem: str = "", form: Mapping[str, str] | None = None) -> Response:
    return render(
        view,
        "accounts.html",
        422 if problem else 200,
        accounts=accounts.list_accounts(view.store),
        roles=_roles(view),
        problem=problem,
        form=form or {},
    )


def _tokens(view: View, problem: str = "", form: Mapping[str, str] | None = None) -> Response:
    show = Shown(view.language)
    return render(
        view,
        "tokens.html",
        422 if problem else 200,
        tokens=tokens.list_tokens(view.store, view.now),
        roles=[(role.value, show.word("role", role)) for role in Role],
        days=TOKEN_DAYS,
        moment=from_microseconds,
        problem=problem,
        form=form or {},
    )


def _show_link(view: View, name: str, code: str) -> Response:
    say = view.language.say
    url = f"{view.console.base_address(view.request)}{link('/link')}?code={code}"
    hours = int(LINK_LIFETIME.total_seconds() // 3600)
    once = say("It sets the password, works once and for %(hours)s hours.", hours=hours)
    advice = f"{once} {say(HAND_OVER)}"
    title = say("The one-time link of %(name)s", name=name)
    return render(
        view, "secret.html", title=title, secret=url, advice=advice, back=link("/accounts")
    )


def _roles(view: View) -> list[tuple[str, str]]:
    show = Shown(view.language)
    return [(role.value, show.word("role", role)) for role in ACCOUNT_ROLES]


def _role(form: Mapping[str, str]) -> Role:
    """The role that a form names; one that no account may have if it names none."""
    try:
        return Role(form.get("role", ""))
    except ValueError:
        return Role.WORKER
