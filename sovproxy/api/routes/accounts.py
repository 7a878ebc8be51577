"""Accounts: admins make, change and remove them; people change their own password."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.cookies import session_secret
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.accounts import (
    LINK_LIFETIME,
    AccountFacts,
    AccountProblem,
    NoSuchAccount,
)
from sovproxy.usecases.access.own_account import WrongPassword, change_password
from sovproxy.usecases.access.passwords import WeakPassword
from sovproxy.usecases.access.sessions import session_id
from sovproxy.usecases.access.tokens import Principal, Role

router = APIRouter(prefix="/api/v1", tags=["accounts"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Person = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)]
AccountId = Annotated[str, Path(pattern="^acc-[0-9a-f]{16}$", examples=["acc-0f3a9c5d7e1b2846"])]


class Account(BaseModel):
    """An account. `way` is how its owner signs in; `link` means: by a link not used yet."""

    id: str = Field(examples=["acc-0f3a9c5d7e1b2846"])
    login: str = Field(examples=["ada"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role
    way: Literal["password", "provider", "link"]
    second_factor: bool
    created: datetime
    last_sign_in: datetime | None
    disabled: bool


class Accounts(BaseModel):
    """All accounts, by login name."""

    items: list[Account]


class NewAccount(BaseModel):
    """An account to make."""

    model_config = ConfigDict(extra="forbid")

    login: str = Field(min_length=1, max_length=64, examples=["ada"])
    name: str = Field(min_length=1, max_length=64, examples=["Ada Lovelace"])
    role: Literal[Role.ANALYST, Role.ADMIN, Role.AUDITOR]


class AccountChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Literal[Role.ANALYST, Role.ADMIN, Role.AUDITOR] | None = None
    disabled: bool | None = None


class Link(BaseModel):
    """A one-time link: it can be seen only now. Give it to the person by a way that you trust."""

    path: str = Field(examples=["/console/link?code=…"])
    expires: datetime


class MadeAccount(BaseModel):
    """An account that was made, and the link by which its owner sets a password."""

    account: Account
    link: Link


class PasswordChange(BaseModel):
    """One's present password, and the new one: 12 to 128 characters, not easily guessed."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(max_length=512)
    new: str = Field(max_length=512)


@router.get("/accounts")
def list_accounts(services: ServicesDep, principal: Admin) -> Accounts:
    """List all accounts."""
    _ = principal
    return Accounts(items=[_account(facts) for facts in accounts.list_accounts(services.store)])


@router.post("/accounts", status_code=201)
def create_account(new: NewAccount, services: ServicesDep, principal: Admin) -> MadeAccount:
    """Make an account, and the one-time link that sets its password."""
    now = services.clock()
    try:
        facts, code = accounts.create_account(
            services.store, principal, now, login=new.login, name=new.name, role=new.role
        )
    except AccountProblem as error:
        raise _problem(error) from None
    return MadeAccount(account=_account(facts), link=_link(code, now))


@router.get("/accounts/{account_id}")
def get_account(account_id: AccountId, services: ServicesDep, principal: Admin) -> Account:
    """Give one account."""
    _ = principal
    return _shown(services, account_id)


@router.patch("/accounts/{account_id}")
def change_account(
    account_id: AccountId, change: AccountChange, services: ServicesDep, principal: Admin
) -> Account:
    """Change the role, shut the account out, or let it in again. Its sessions end.

    The last admin who can sign in stays one (409).
    """
    now = services.clock()
    try:
        if change.role is not None:
            accounts.change_role(services.store, principal, account_id, change.role, now)
        if change.disabled is not None:
            accounts.set_disabled(
                services.store, principal, account_id, now, disabled=change.disabled
            )
    except AccountProblem as error:
        raise _problem(error) from None
    return _shown(services, account_id)


@router.delete("/accounts/{account_id}", status_code=204, response_class=Response)
def delete_account(account_id: AccountId, services: ServicesDep, principal: Admin) -> None:
    """Remove an account, its link and its sessions. The last admin stays (409)."""
    try:
        accounts.delete_account(services.store, principal, account_id, services.clock())
    except AccountProblem as error:
        raise _problem(error) from None


@router.post("/accounts/{account_id}/link", status_code=201)
def issue_link(account_id: AccountId, services: ServicesDep, principal: Admin) -> Link:
    """Make a new one-time link, for somebody who has forgotten the password."""
    now = services.clock()
    try:
        return _link(accounts.issue_link(services.store, principal, account_id, now), now)
    except AccountProblem as error:
        raise _problem(error) from None


@router.delete("/accounts/{account_id}/sessions", status_code=204, response_class=Response)
def end_sessions(account_id: AccountId, services: ServicesDep, principal: Admin) -> None:
    """End all sessions of an account."""
    try:
        accounts.end_sessions(services.store, principal, account_id, services.clock())
    except AccountProblem as error:
        raise _problem(error) from None


@router.delete("/accounts/{account_id}/second-factor", status_code=204, response_class=Response)
def drop_second_factor(account_id: AccountId, services: ServicesDep, principal: Admin) -> None:
    """Take the second factor off an account whose owner has lost it."""
    try:
        accounts.drop_second_factor(services.store, principal, account_id, services.clock())
    except AccountProblem as error:
        raise _problem(error) from None


@router.put("/session/password", status_code=204, response_class=Response)
def change_own_password(
    change: PasswordChange, request: Request, services: ServicesDep, principal: Person
) -> None:
    """Change one's own password; all other sessions end. 20 failures in 15 minutes have to wait."""
    throttle, now = request.app.state.throttle, services.clock()
    if wait := throttle.accounts.check(principal.token_id, now):
        detail = f"too many attempts have failed; wait {wait} seconds"
        raise ApiProblem(429, "too-many-attempts", detail, {"retry-after": str(wait)})
    keep = session_id(session_secret(request))
    try:
        change_password(
            services.store, principal, now, old=change.old, new=change.new, keep_session=keep
        )
    except WeakPassword as error:
        throttle.accounts.undo(principal.token_id)
        raise ApiProblem(422, "weak-password", str(error)) from None
    except AccountProblem as error:
        raise _problem(error) from None
    throttle.accounts.undo(principal.token_id)


def _shown(services: Services, account_id: str) -> Account:
    try:
        return _account(accounts.get_account(services.store, account_id))
    except AccountProblem as error:
        raise _problem(error) from None


def _account(facts: AccountFacts) -> Account:
    return Account.model_validate(asdict(facts))


def _link(code: str, now: datetime) -> Link:
    return Link(path=f"/console/link?code={code}", expires=now + LINK_LIFETIME)


def _problem(error: AccountProblem) -> ApiProblem:
    if isinstance(error, NoSuchAccount):
        return ApiProblem(404, "no-such-account", str(error))
    if isinstance(error, WrongPassword):
        return ApiProblem(403, "wrong-password", str(error))
    return ApiProblem(409, "account", str(error))
