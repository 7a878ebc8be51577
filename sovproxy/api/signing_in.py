"""Signing in with token or password, for the API and the console alike: throttled, on record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sovproxy.api.cookies import session_secret
from sovproxy.events.text import clean_text
from sovproxy.usecases.access.accounts import MAX_LOGIN
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.own_account import BadSignIn, known_login, sign_in
from sovproxy.usecases.access.sessions import Session, close_session, open_session
from sovproxy.usecases.access.tokens import Principal, Role

if TYPE_CHECKING:
    from datetime import datetime

    from fastapi import Request

    from sovproxy.api.services import Services
    from sovproxy.api.throttle import Throttle
    from sovproxy.store.database import Store

log = logging.getLogger(__name__)


class MustWait(Exception):
    """Too many attempts have failed; `seconds` have to pass first."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many attempts have failed; wait {seconds} seconds")


def address_of(request: Request) -> str:
    """The address that a request came from, as the connection has it."""
    return request.client.host if request.client else ""


def password_sign_in(
    services: Services, throttle: Throttle, address: str, *, login: str, password: str, code: str
) -> Principal:
    """Say whose login name, password and code these are.

    Raises MustWait, BadSignIn, StoreUnavailable.
    """
    now, key = services.clock(), login.strip().lower()[:MAX_LOGIN]
    if wait := throttle.begin(address, key, now):
        raise MustWait(wait)
    try:
        principal = sign_in(services.store, login, password, code, now)
    except BadSignIn:
        shown = known_login(services.store, login)
        record_failure(services.store, throttle, address, "password", now, login=shown)
        raise
    throttle.succeeded(address, key)
    return principal


def record_failure(
    store: Store, throttle: Throttle, address: str, way: str, now: datetime, *, login: str = ""
) -> None:
    """Leave an entry about a sign-in that failed; of floods the first 200 in 5 minutes.

    Raises StoreUnavailable.
    """
    throttle.failures += 1
    if throttle.records.check("", now):
        log.warning("sign-in failed (%s) from %s; too many to record each", way, address)
        return
    details = {"way": way, "address": clean_text(address, 64), "login": login}
    nobody = Principal("", "", Role.WORKER)
    record_act(store, nobody, Act.SIGN_IN_FAILED, details, now=now)


def begin_session(
    services: Services, request: Request, principal: Principal, way: str, id_token: str = ""
) -> tuple[str, Session]:
    """Open a session and leave an entry; the session that the browser brought along ends.

    Gives the secret for the cookie. Raises StoreUnavailable.
    """
    now = services.clock()
    record_act(services.store, principal, Act.SIGN_IN, {"way": way}, now=now)
    if before := session_secret(request):
        close_session(services.store, before)
    agent = request.headers.get("user-agent", "")
    return open_session(services.store, principal, now, agent, id_token)
