"""Sessions of the console: sign in with a token, see who is signed in, sign out."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sovproxy.api.access import allow, allow_sign_in
from sovproxy.api.cookies import clear_session_cookie, session_secret, set_session_cookie
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.auditing import Act, record_act
from sovproxy.usecases.sessions import Session, close_session, find_session, open_session
from sovproxy.usecases.tokens import Principal, Role

router = APIRouter(prefix="/api/v1", tags=["session"])

_PEOPLE = (Role.WORKER, Role.ANALYST, Role.ADMIN, Role.AUDITOR)
SignsIn = Annotated[Principal, allow_sign_in(*_PEOPLE)]
Person = Annotated[Principal, allow(*_PEOPLE)]


class SessionAnswer(BaseModel):
    """Who is signed in, and what unsafe requests must repeat in the header `X-Sovproxy-CSRF`."""

    name: str = Field(examples=["Ada"])
    role: Role
    csrf: str
    expires: datetime = Field(description="When the session ends in any case.")
    idle_until: datetime = Field(description="When it ends unless it is used before.")


@router.post("/session", status_code=201)
def sign_in(
    request: Request, response: Response, services: ServicesDep, principal: SignsIn
) -> SessionAnswer:
    """Exchange a bearer token for a session's cookie. After 10 failures, an address waits."""
    now = services.clock()
    secret, session = open_session(services.store, principal, now)
    record_act(services.store, principal, Act.SIGN_IN, {}, now=now)
    set_session_cookie(request, response, secret)
    return _answer(session)


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
