"""`/metrics` for Prometheus."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request, Response, params

from sovproxy.api.access import Access
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.upkeep import health

if TYPE_CHECKING:
    from fastapi.security import HTTPAuthorizationCredentials

router = APIRouter(tags=["status"])

_TEXT = "text/plain"
_OPEN_METRICS = "application/openmetrics-text"
_EXAMPLE = "# HELP sovproxy_store_up 1 if the store can be used, else 0.\nsovproxy_store_up 1.0\n"

_ANYBODY_HERE = Principal("", "metrics", Role.AUDITOR)


class Scrape(Access):
    """As Access, but with `metrics_open` this machine needs no token; and while the store is away,
    tokens are good that were good before: that the store is away is what somebody has to see.
    """

    def _caller(
        self,
        request: Request,
        services: Services,
        credentials: HTTPAuthorizationCredentials | None,
    ) -> Principal:
        if credentials is None and services.metrics_open and _is_here(request):
            return _ANYBODY_HERE
        if credentials is None:
            return super()._caller(request, services, credentials)
        return services.scrapers.check(
            credentials.credentials,
            services.clock(),
            lambda: super(Scrape, self)._caller(request, services, credentials),
            self.roles,
        )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    dependencies=[params.Depends(Scrape(frozenset({Role.ANALYST, Role.ADMIN, Role.AUDITOR})))],
    responses={
        200: {
            "description": "Prometheus' text, or OpenMetrics if the client accepts it.",
            "content": {
                kind: {"schema": {"type": "string"}, "example": _EXAMPLE}
                for kind in (_TEXT, _OPEN_METRICS)
            },
        }
    },
)
def metrics(
    request: Request, services: ServicesDep, accept: Annotated[str, Header(max_length=1000)] = ""
) -> Response:
    """Give all that is measured; `docs/metrics.md` lists it. It answers while the store is away."""
    facts = facts_of(services, request.app.state.throttle.failures)
    text, media_type = services.measures.exposition(accept, health.metrics(facts))
    return Response(text, media_type=media_type)


def facts_of(services: Services, sign_in_failures: int = 0) -> health.Facts:
    """How everything is doing now."""
    now = services.clock()
    return health.Facts(
        now=now,
        store=health.store_facts(services.store, now, services.own_entries),
        forwarding=services.forwarding,
        data=services.data_ages(),
        policy_problem=services.policy_problem(),
        policy=services.policy(),
        sign_in_failures=sign_in_failures,
        ca=services.ca_state(),
    )


def _is_here(request: Request) -> bool:
    """By the connection, which nobody forges: a reverse proxy on this machine is this machine."""
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False
