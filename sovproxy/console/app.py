"""The console as an app of its own below `/console`, mounted into the API's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from sovproxy.console import (
    accounts,
    audit,
    candidates,
    catalogue,
    data,
    events,
    exceptions,
    explain,
    failures,
    findings,
    local_catalogue,
    nodes,
    oidc,
    one_time_links,
    overview,
    own_account,
    papers,
    policy,
    policy_diff,
    policy_edit,
    policy_history,
    policy_simulate,
    raising,
    resolutions,
    saved_views,
    sign_in,
    static_files,
)
from sovproxy.console.links import BASE
from sovproxy.console.view import Console

if TYPE_CHECKING:
    from sovproxy.api.services import Services
    from sovproxy.usecases.policy.judging import Judge

PAGES = (
    overview.router,
    events.router,
    saved_views.router,
    raising.router,  # before findings: `raise` is no finding's number
    findings.router,
    resolutions.router,
    explain.router,
    exceptions.router,
    candidates.router,
    local_catalogue.router,
    catalogue.router,
    policy.router,
    policy_edit.router,
    policy_diff.router,
    policy_history.router,
    policy_simulate.router,
    nodes.router,
    data.router,
    sign_in.router,
    one_time_links.router,
    oidc.router,
    own_account.router,
    accounts.router,
    audit.router,
    papers.router,
    static_files.router,
)


def mount_console(app: FastAPI, judge: Judge) -> None:
    """Give the API's app a console. Its services must be there already."""
    services: Services = app.state.services
    app.mount(BASE, console_app(Console(services, judge, app.state.throttle)))


def console_app(console: Console) -> FastAPI:
    """Make the console's app. It has its own answers to errors: pages, not problems."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.console = console
    failures.install(app)
    for router in PAGES:
        app.include_router(router)
    return app
