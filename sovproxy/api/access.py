"""Who may call what. Every route states it with `allow(…)` or `EVERYBODY`; the docs list it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security, params
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.tokens import Principal, Role, authenticate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import APIRouter
    from fastapi.dependencies.models import Dependant

_CHALLENGE = 'Bearer realm="sovproxy"'

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="`sovproxy tokens create`")

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


class Access:
    """A dependency that lets only some roles pass, and gives who calls."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    def __call__(self, services: ServicesDep, credentials: Credentials) -> Principal:
        """Raises ApiProblem: 401 without a token in force, 403 with one of another role."""
        if credentials is None:
            raise _unauthorized("this address needs a bearer token", _CHALLENGE)
        principal = authenticate(services.store, credentials.credentials, services.clock())
        if principal is None:
            challenge = f'{_CHALLENGE}, error="invalid_token"'
            raise _unauthorized("the token is unknown, expired or revoked", challenge)
        if principal.role not in self.roles:
            wanted = ", ".join(sorted(self.roles))
            detail = f"a token of the role {wanted} is wanted, this one is of {principal.role}"
            headers = {"www-authenticate": f'{_CHALLENGE}, error="insufficient_scope"'}
            raise ApiProblem(403, "forbidden", detail, headers)
        return principal


def allow(*roles: Role) -> params.Depends:
    """State that a route may be called by these roles only."""
    return params.Depends(Access(frozenset(roles)))


def everybody() -> None:
    """State that a route may be called without a token."""


EVERYBODY = params.Depends(everybody)


def principal_or_none(
    request: Request, services: ServicesDep, credentials: Credentials
) -> Principal | None:
    """Say who calls where no token is needed; a bad token counts as none."""
    _ = request
    if credentials is None:
        return None
    return authenticate(services.store, credentials.credentials, services.clock())


CallerDep = Annotated[Principal | None, Depends(principal_or_none)]


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
