"""Data and health: how old what we judge by is, and whether everything works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response

from sovproxy.api.background import apply_retention
from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.store.upkeep import store_size
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.searching import FilterInput, search_page
from sovproxy.usecases.upkeep.forwarding import NoSuchReceiver, NotDelivered
from sovproxy.usecases.upkeep.health import LOW_DISK_BYTES
from sovproxy.usecases.upkeep.keeping import INTERVAL_SECONDS, kept, last_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.console.view import View
    from sovproxy.usecases.upkeep.keeping import RetentionRun

router = APIRouter()

SHOWN_RUNS = 5


@router.get("/data")
def data_page(view: SignedInView) -> Response:
    """Show databases, policy, store, retention, forwarding and catalogue."""
    judge, services = view.judge, view.console.services
    databases = list(judge.databases.status(view.now.timestamp()))
    receivers = services.forwarding.states()
    size, runs = store_size(view.store), last_runs(view.store)
    short = size.free is not None and size.free < LOW_DISK_BYTES
    troubles = (
        judge.policy_file.last_error,
        any(item.stale or item.error for item in databases),
        any(state.problem for _, state in receivers),
        bool(runs and runs[0].problem),
        short,
    )
    return render(
        view,
        "data.html",
        health="degraded" if any(troubles) else "ok",
        databases=databases,
        problem=judge.policy_file.last_error,
        size=size,
        is_short=short,
        newest=_newest(view),
        receivers=receivers,
        kept=kept(services.retention_days()),
        runs=runs[:SHOWN_RUNS],
        following=_next_run(runs),
        atlas=judge.atlas,
        version=version("sovproxy"),
    )


@router.post("/data/retention")
def run_retention(view: SignedInView, form: CheckedForm) -> Response:
    """Delete what is too old now."""
    _ = form
    _only_admins(view)
    record_act(view.store, view.principal, Act.RETENTION_RUN, {}, now=view.now)
    run = apply_retention(view.console.services, view.principal.name)
    if run.problem:
        return done(view, "/data", mark("Retention did not end well: %(why)s"), why=run.problem)
    number = sum(run.deleted.values())
    return done(view, "/data", mark("Retention has run; rows deleted: %(number)s."), number=number)


@router.post("/data/forwarding/{name}/test")
def send_test(name: str, view: SignedInView, form: CheckedForm) -> Response:
    """Send a receiver a message that says that it is a test."""
    _ = form
    _only_admins(view)
    try:
        forwarder = view.console.services.forwarding.find(name)
    except NoSuchReceiver:
        raise HTTPException(404) from None
    record_act(view.store, view.principal, Act.FORWARD_TEST, {"receiver": name}, now=view.now)
    try:
        forwarder.send_test()
    except NotDelivered as error:
        return done(view, "/data", mark("The test message did not arrive. %(why)s"), why=error)
    return done(view, "/data", mark("The test message has arrived at %(name)s."), name=name)


def _only_admins(view: View) -> None:
    if view.principal.role is not Role.ADMIN:
        raise Refused(403)


def _next_run(runs: Sequence[RetentionRun]) -> datetime | None:
    by_the_clock = next((run.time for run in runs if not run.who), None)
    return by_the_clock + timedelta(seconds=INTERVAL_SECONDS) if by_the_clock else None


def _newest(view: View) -> datetime | None:
    """When the newest event happened; no event is shown, so this is no look at persons."""
    page = search_page(view.store, FilterInput(), 1)
    return page.items[0].time.astimezone(UTC) if page.items else None
