"""Sessions: sign in with a token or a password, see who is signed in, sign out, end others."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import CHALLENGE, EVERYBODY, allow, allow_sign_in, too_many
from sovproxy.api.cookies import clear_session_cookie, session_secret, set_session_cookie
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.signing_in import MustWait, address_of, begin_session, password_sign_in
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.own_account import BadSignIn
from sovproxy.usecases.access.sessions import (
    Session,
    close_session,
    end_other_sessions,
    end_session,
    find_session,
    list_sessions,
)
from sovproxy.usecases.access.tokens import Principal, Role

router = APIRouter(prefix="/api/v1", tags=["session"])

_PEOPLE = (Role.WORKER, Role.ANALYST, Role.ADMIN, Role.AUDITOR)
SignsIn = Annotated[Principal, allow_sign_in(*_PEOPLE)]
Person = Annotated[Principal, allow(*_PEOPLE)]
SessionKey = Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["5d7e1b28460f3a9c"])]


class PasswordSignIn(BaseModel):
    """A login name and a password; `code` if the account has a second factor."""

    model_config = ConfigDict(extra="forbid")

    login: str = Field(max_length=64, examples=["ada"])
    password: str = Field(max_length=512, examples=["four words that do not belong together"])
    code: str = Field(
        default="", max_length=64, description="Of the app, or a recovery code.", examples=[""]
    )


class SessionAnswer(BaseModel):
    """Who is signed in, and what unsafe requests must repeat in the header `X-Sovproxy-CSRF`."""

    name: str = Field(examples=["Ada"])
    role: Role
    csrf: str
    expires: datetime = Field(description="When the session ends in any case.")
    idle_until: datetime = Field(description="When it ends unless it is used before.")


class OwnSession(BaseModel):
    """One of the caller's sessions. `key` names it and cannot open it."""

    key: str = Field(examples=["5d7e1b28460f3a9c"])
    agent: str = Field(description="What the browser calls itself.", examples=["Mozilla/5.0 …"])
    created: datetime
    used: datetime
    expires: datetime
    present: bool = Field(description="Whether this request came with it.")


class OwnSessions(BaseModel):
    """The caller's sessions that are in force, the latest used first."""

    items: list[OwnSession]


@router.post("/session", status_code=201)
def sign_in(
    request: Request, response: Response, services: ServicesDep, principal: SignsIn
) -> SessionAnswer:
    """Exchange a bearer token for a session's cookie. After 10 failures, an address waits."""
    return _begin(request, response, services, principal, "token")


@router.post("/session/password", status_code=201, dependencies=[EVERYBODY])
def sign_in_with_password(
    request: Request, response: Response, services: ServicesDep, given: PasswordSignIn
) -> SessionAnswer:
    """Begin a session with login name and password.

    The answer to a failure never tells what was wrong. Addresses wait after 10 failures in 5
    minutes, accounts after 20 in 15, whether they exist or not.
    """
    address, throttle = address_of(request), request.app.state.throttle
    try:
        principal = password_sign_in(
            services,
            throttle,
            address,
            login=given.login,
            password=given.password,
            code=given.code,
        )
    except MustWait as error:
        raise too_many(error.seconds) from None
    except BadSignIn:
        detail = "login name, password or code is wrong"
        raise ApiProblem(401, "bad-sign-in", detail, {"www-authenticate": CHALLENGE}) from None
    return _begin(request, response, services, principal, "password")


@router.get("/session")
def session(request: Request, services: ServicesDep, principal: Person) -> SessionAnswer:
    """Tell who is signed in."""
    return _answer(_session(request, services, principal))


@router.delete("/session", status_code=204, response_class=Response)
def sign_out(
    request: Request, response: Response, services: ServicesDep, principal: Person
) -> None:
    """End the session."""
    _session(request, services, principal)
    close_session(services.store, session_secret(request))
    record_act(services.store, principal, Act.SIGN_OUT, {}, now=services.clock())
    clear_session_cookie(request, response)


@router.get("/sessions")
def sessions(request: Request, services: ServicesDep, principal: Person) -> OwnSessions:
    """List one's own sessions: those of the token or account that calls."""
    now = services.clock()
    present = find_session(services.store, session_secret(request), now, use=False)
    key = present.key if present else ""
    found = list_sessions(services.store, principal, now)
    items = [
        OwnSession(
            key=item.key,
            agent=item.agent,
            created=item.created,
            used=item.used,
            expires=item.expires,
            present=item.key == key,
        )
        for item in found
    ]
    return OwnSessions(items=items)


@router.delete("/sessions/{key}", status_code=204, response_class=Response)
def end_one(key: SessionKey, services: ServicesDep, principal: Person) -> None:
    """End one of one's own sessions."""
    if not end_session(services.store, principal, key, services.clock()):
        raise ApiProblem(404, "no-such-session", "you have no session with this key")


@router.delete("/sessions", status_code=204, response_class=Response)
def end_others(request: Request, services: ServicesDep, principal: Person) -> None:
    """End all of one's own sessions but the present one."""
    end_other_sessions(services.store, principal, session_secret(request), services.clock())


def _begin(
    request: Request, response: Response, services: ServicesDep, principal: Principal, way: str
) -> SessionAnswer:
    secret, opened = begin_session(services, request, principal, way)
    set_session_cookie(request, response, secret)
    return _answer(opened)


def _session(request: Request, services: ServicesDep, principal: Principal) -> Session:
    found = find_session(services.store, session_secret(request), services.clock(), use=False)
    if found is None or found.principal != principal:
        raise ApiProblem(404, "no-session", "this request comes without a session's cookie")
    return found


def _answer(session: Session) -> SessionAnswer:
    return SessionAnswer(
        name=session.principal.name,
        role=session.principal.role,
        csrf=session.csrf,
        expires=session.expires,
        idle_until=session.idle_until,
    )
