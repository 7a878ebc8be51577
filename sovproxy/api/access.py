"""Who may call what. Every route states it with `allow(…)` or `EVERYBODY`; the docs list it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sovproxy.api.cookies import CSRF_HEADER, session_secret
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.signing_in import address_of, record_failure
from sovproxy.limits import network
from sovproxy.store.database import StoreUnavailable
from sovproxy.usecases.access.sessions import find_session
from sovproxy.usecases.access.tokens import Principal, Role, authenticate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import APIRouter
    from fastapi.dependencies.models import Dependant

    from sovproxy.api.throttle import Throttle
    from sovproxy.usecases.access.workers import WorkerKeys

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CHALLENGE = 'Bearer realm="sovproxy"'

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="`sovproxy tokens create`")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


class Access:
    """A dependency that lets only some roles pass, and gives who calls.

    A caller shows a bearer token, or the cookie of a session; with a cookie, methods that change
    something need the session's CSRF token as well. A token counts before a cookie.
    """

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    def __call__(
        self, request: Request, services: ServicesDep, credentials: Credentials
    ) -> Principal:
        """Raises ApiProblem: 401 without a token in force, 403 with one of another role."""
        principal = self._caller(request, services, credentials)
        if principal.role not in self.roles:
            wanted = ", ".join(sorted(self.roles))
            detail = f"a token of the role {wanted} is wanted, this one is of {principal.role}"
            headers = {"www-authenticate": f'{CHALLENGE}, error="insufficient_scope"'}
            raise ApiProblem(403, "forbidden", detail, headers)
        return principal

    def _caller(self, request: Request, services: Services, credentials: Credentials) -> Principal:
        if credentials is None and (secret := session_secret(request)):
            return _of_session(request, services, secret)
        return _of_token(request, services, credentials, services.workers)


class SignIn(Access):
    """As Access, but with a bearer token only, and with a limit on failures per address."""

    def _caller(self, request: Request, services: Services, credentials: Credentials) -> Principal:
        throttle: Throttle = request.app.state.throttle
        address, now = address_of(request), services.clock()
        if wait := throttle.wait(address, now):
            raise too_many(wait)
        try:
            # A worker's hour is no session: such tokens begin none.
            return _of_token(request, services, credentials, workers=None)
        except ApiProblem:
            throttle.failed(address, now)
            record_failure(services.store, throttle, address, "token", now)
            raise


def too_many(wait: int) -> ApiProblem:
    """The answer to somebody who has to wait before the next attempt."""
    detail = f"too many attempts have failed; wait {wait} seconds"
    return ApiProblem(429, "too-many-attempts", detail, {"retry-after": str(wait)})


def _of_token(
    request: Request, services: Services, credentials: Credentials, workers: WorkerKeys | None
) -> Principal:
    if credentials is None:
        raise _unauthorized("this address needs a bearer token", CHALLENGE)
    principal = authenticate(services.store, credentials.credentials, services.clock(), workers)
    if principal is None:
        # Good tokens pass whatever others behind the same address do: nodes go on delivering.
        throttle: Throttle = request.app.state.throttle
        if wait := throttle.guesses.check(network(address_of(request)), services.clock()):
            raise too_many(wait)
        challenge = f'{CHALLENGE}, error="invalid_token"'
        raise _unauthorized("the token is unknown, expired or revoked", challenge)
    return principal


def _of_session(request: Request, services: Services, secret: str) -> Principal:
    session = find_session(services.store, secret, services.clock())
    if session is None:
        raise _unauthorized("the session has ended; sign in again", CHALLENGE)
    shown = request.headers.get(CSRF_HEADER, "")
    if request.method not in _SAFE and not hmac.compare_digest(
        shown.encode(), session.csrf.encode()
    ):
        detail = f"the header {CSRF_HEADER} must hold the session's CSRF token"
        raise ApiProblem(403, "csrf", detail)
    return session.principal


def allow(*roles: Role) -> params.Depends:
    """State that a route may be called by these roles only."""
    return params.Depends(Access(frozenset(roles)))


def allow_sign_in(*roles: Role) -> params.Depends:
    """State that a route begins sessions, for these roles only."""
    return params.Depends(SignIn(frozenset(roles)))


def everybody() -> None:
    """State that a route may be called without a token."""


EVERYBODY = params.Depends(everybody)


def principal_or_none(
    request: Request, services: ServicesDep, credentials: Credentials
) -> Principal | None:
    """Say who calls where no token is needed; a bad token or cookie counts as none."""
    if credentials is not None:
        now = services.clock()
        return authenticate(services.store, credentials.credentials, now, services.workers)
    session = find_session(services.store, session_secret(request), services.clock(), use=False)
    return session.principal if session else None


def known_caller(
    request: Request, services: ServicesDep, credentials: Credentials
) -> Principal | None:
    """As `principal_or_none`, and nobody while the store cannot say who it is."""
    try:
        return principal_or_none(request, services, credentials)
    except StoreUnavailable:
        return None


CallerDep = Annotated[Principal | None, Depends(known_caller)]


def access_rows(routers: Iterable[APIRouter]) -> list[tuple[str, str, frozenset[Role] | None]]:
    """List method, path and roles of every route; None stands for everybody.

    Raises LookupError for a route that states nothing, or states it twice.
    """
    rows = [
        (method, route.path, _roles(route))
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]
    return sorted(rows, key=lambda row: (row[1], row[0]))


def _roles(route: APIRoute) -> frozenset[Role] | None:
    calls = [item.call for item in _flat(route.dependant)]
    stated = [call.roles for call in calls if isinstance(call, Access)]
    stated_public = [None for call in calls if call is everybody]
    if len(stated) + len(stated_public) != 1:
        raise LookupError(f"{route.path} must state once who may call it")
    return stated[0] if stated else None


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    for item in dependant.dependencies:
        yield item
        yield from _flat(item)


def _unauthorized(detail: str, challenge: str) -> ApiProblem:
    return ApiProblem(401, "unauthorized", detail, {"www-authenticate": challenge})
