"""What the API does by itself while it runs: retention once an hour, and ending its streams."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from fastapi.concurrency import run_in_threadpool

from sovproxy.api.streams import closed_on_signals
from sovproxy.store.fleet import delete_old_acknowledgements
from sovproxy.store.retention import delete_old_events, delete_old_rollups
from sovproxy.store.times import microseconds
from sovproxy.usecases.exceptions import forget_ended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from sovproxy.api.services import Services

log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 3600


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run retention and forwarding for as long as the app runs, and end streams when it stops."""
    forwarding = app.state.services.forwarding
    forwarding.start()
    job = asyncio.create_task(_keep_retention(app.state.services))
    try:
        with closed_on_signals(app.state.streams):
            yield
    finally:
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job
        await run_in_threadpool(forwarding.stop)


async def _keep_retention(services: Services) -> None:
    while True:
        try:
            await run_in_threadpool(apply_retention, services)
        except Exception:
            log.exception("retention: old events could not be deleted; next attempt in an hour")
        await asyncio.sleep(INTERVAL_SECONDS)


def apply_retention(services: Services) -> int:
    """Delete what is older than the policy's retention; give the number of events deleted.

    Raises StoreUnavailable.
    """
    now = services.clock()
    events = delete_old_events(services.store, now, services.retention_days())
    rollups = delete_old_rollups(services.store, now)
    forgotten = forget_ended(services.store, now, services.retention_days())
    if forgotten:
        log.info("retention: client and texts of %d exceptions taken out", forgotten)
    delete_old_acknowledgements(services.store, microseconds(now))
    if events or rollups:
        log.info("retention: %d events and %d rollups deleted", events, rollups)
    return events
