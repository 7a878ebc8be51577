"""What the API does by itself while it runs: retention and a check of the audit once an hour,
noting the newest entry of the audit once a minute, and ending its streams."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fastapi.concurrency import run_in_threadpool

from sovproxy.api.streams import closed_on_signals
from sovproxy.events.steady import SteadyClock
from sovproxy.usecases.access.audit_chain import NOTE_SECONDS
from sovproxy.usecases.analysis.resolving_clients import lapse
from sovproxy.usecases.upkeep.keeping import INTERVAL_SECONDS, run_retention

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from sovproxy.api.services import Services
    from sovproxy.usecases.upkeep.keeping import RetentionRun

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run retention and forwarding for as long as the app runs, and end streams when it stops."""
    forwarding = app.state.services.forwarding
    forwarding.start()
    services = app.state.services
    jobs = [asyncio.create_task(job(services)) for job in (_keep_retention, _note_audit)]
    try:
        with closed_on_signals(app.state.streams):
            yield
    finally:
        for job in jobs:
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job
        await run_in_threadpool(forwarding.stop)


async def _keep_retention(services: Services) -> None:
    clock = SteadyClock(lambda: services.clock().timestamp(), believed=True)
    while True:
        try:
            await run_in_threadpool(retain_if_steady, services, clock)
            if services.audit_watch:
                await run_in_threadpool(services.audit_watch.check, services.clock())
        except Exception:
            log.exception("retention: could not run; next attempt in an hour")
        await asyncio.sleep(INTERVAL_SECONDS)


async def _note_audit(services: Services) -> None:
    while watch := services.audit_watch:
        try:
            await run_in_threadpool(watch.note)
        except Exception:
            log.exception("audit: the newest entry could not be noted; next attempt in a minute")
        await asyncio.sleep(NOTE_SECONDS)


def retain_if_steady(services: Services, clock: SteadyClock) -> RetentionRun | None:
    """Delete what is older than it may be, unless the clock jumped. Raises StoreUnavailable."""
    return apply_retention(services) if clock.is_steady() else None


def apply_retention(services: Services, who: str = "") -> RetentionRun:
    """Delete what is older than it may be; `who` asked for it, or the clock did.

    Who a client is, is erased when its day is over. Raises StoreUnavailable.
    """
    lapse(services.store, services.clock())
    run = run_retention(services.store, services.clock(), services.retention_days(), who)
    for kind, number in run.deleted.items():
        services.measures.deleted(kind, number)
    return run
