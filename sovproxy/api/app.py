"""The app: routes, who may call them, one shape of errors, and nothing from third parties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from sovproxy.api import policy_problems, problems
from sovproxy.api.background import lifespan
from sovproxy.api.body_limit import BodyLimit
from sovproxy.api.etags import ETags
from sovproxy.api.headers import SecurityHeaders
from sovproxy.api.measuring import Measured
from sovproxy.api.openapi import TITLE, openapi_document
from sovproxy.api.routes import (
    accounts,
    analysis,
    audit,
    bundle,
    catalogue,
    catalogue_facts,
    check,
    client_setup,
    events,
    exceptions,
    export,
    findings,
    fleet,
    forwarding,
    meetings,
    metrics,
    own,
    papers,
    persons,
    policy,
    policy_drafts,
    resolutions,
    retention,
    rooms,
    session,
    status,
    stream,
    tokens,
    views,
)
from sovproxy.api.streams import Streams
from sovproxy.api.throttle import Throttle

if TYPE_CHECKING:
    from sovproxy.api.services import Services

ROUTERS = (
    status.router,
    stream.router,  # before events: `/events/stream` is no event's id
    events.router,
    analysis.router,
    views.router,
    findings.router,
    resolutions.router,
    export.router,
    fleet.router,
    forwarding.router,
    retention.router,
    metrics.router,
    exceptions.router,
    own.router,
    persons.router,
    papers.router,
    rooms.router,
    meetings.router,
    catalogue.router,
    catalogue_facts.router,
    policy.router,
    policy_drafts.router,
    audit.router,
    session.router,
    accounts.router,
    tokens.router,
    check.router,
    client_setup.router,
    bundle.router,
)
MAX_BODY_BYTES = 64 * 1024


def create_app(services: Services) -> FastAPI:
    """Make the app. FastAPI's own docs pages load scripts from elsewhere, so they are off."""
    app = bare_app()
    app.state.services = services
    return app


def bare_app() -> FastAPI:
    """Make the app without anything to work with: enough to describe it."""
    app = _App(
        title=TITLE,
        summary="Judges outbound traffic by jurisdiction",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    by_path = {**events.BODY_BYTES, **fleet.BODY_BYTES, **policy.BODY_BYTES}
    app.add_middleware(BodyLimit, default=MAX_BODY_BYTES, by_path=by_path)
    app.add_middleware(ETags)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured)
    app.state.throttle = Throttle()
    app.state.streams = Streams()
    problems.install(app)
    policy_problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


class _App(FastAPI):
    """FastAPI with our own description of itself."""

    def openapi(self) -> dict[str, Any]:
        """Describe the app, once."""
        if not self.openapi_schema:
            self.openapi_schema = openapi_document(self)
        return self.openapi_schema
