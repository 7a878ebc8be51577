"""How long each kind of data is kept, and the job that sees to it."""

from __future__ import annotations

import logging
import time
from datetime import datetime  # noqa: TC003  # the models read them
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from sovproxy.errors import SovproxyError
from sovproxy.events.text import clean_text
from sovproxy.store import upkeep
from sovproxy.store.fleet import delete_old_acknowledgements
from sovproxy.store.retention import ROLLUP_DAYS, delete_old_events, delete_old_rollups
from sovproxy.store.tables import RetentionRunRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.worker.exceptions import forget_ended
from sovproxy.usecases.worker.meetings import forget_meetings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.database import Store

log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 3600
MAX_RUNS: Final = 50


class Kept(BaseModel):
    """How long one kind of data is kept. `days` is null for what is kept without end."""

    kind: str = Field(examples=["events"])
    days: int | None = Field(examples=[183])
    set_by: str = Field(description="What says so.", examples=["policy"])


class RetentionRun(BaseModel):
    """One run. `who` is empty if it ran by the clock; `deleted` counts rows by kind of data."""

    time: datetime
    seconds: float = Field(examples=[0.4])
    who: str = Field(examples=[""])
    deleted: dict[str, int] = Field(examples=[{"events": 1200, "rollups": 0}])
    problem: str = Field(description="Empty, or why it did not end well.", examples=[""])


class _Job(NamedTuple):
    """One kind of data. `days` is None where something else than age ends it."""

    kind: str
    set_by: str
    days: Callable[[int], int | None]
    delete: Callable[[Store, datetime, int], int]


_JOBS: Final = (
    _Job("events", "policy", lambda days: days, delete_old_events),
    _Job("exceptions", "policy", lambda days: days, forget_ended),
    _Job("meetings", "policy", lambda days: days, forget_meetings),
    _Job(
        "rollups",
        "sovproxy",
        lambda _: ROLLUP_DAYS,
        lambda store, now, _: delete_old_rollups(store, now),
    ),
    _Job(
        "acknowledgements",
        "their end",
        lambda _: 0,
        lambda store, now, _: delete_old_acknowledgements(store, microseconds(now)),
    ),
    _Job(
        "sessions",
        "their end",
        lambda _: 0,
        lambda store, now, _: upkeep.delete_ended_sessions(store, microseconds(now)),
    ),
)


def kept(retention_days: int) -> list[Kept]:
    """How long each kind of data is kept when the policy says `retention_days` of events."""
    found = [Kept(kind=job.kind, days=job.days(retention_days), set_by=job.set_by) for job in _JOBS]
    return [*found, Kept(kind="audit", days=None, set_by="sovproxy")]


def run_retention(store: Store, now: datetime, retention_days: int, who: str = "") -> RetentionRun:
    """Delete what is too old, kind by kind; one that fails does not keep the others from it.

    Raises StoreUnavailable when not even the run can be noted.
    """
    begun, deleted, problems = time.perf_counter(), dict[str, int](), list[str]()
    for job in _JOBS:
        try:
            deleted[job.kind] = job.delete(store, now, retention_days)
        except SovproxyError as error:
            log.error("retention: %s: %s", job.kind, error)  # noqa: TRY400  # no mistake of ours
            problems.append(f"{job.kind}: {error}")
    run = RetentionRun(
        time=now,
        seconds=round(time.perf_counter() - begun, 3),
        who=who,
        deleted=deleted,
        problem=clean_text("; ".join(problems), 500),
    )
    upkeep.append_retention_run(store, _row(run))
    if any(deleted.values()):
        log.info("retention: deleted %s", ", ".join(f"{n} {kind}" for kind, n in deleted.items()))
    return run


def last_runs(store: Store, limit: int = MAX_RUNS) -> list[RetentionRun]:
    """Give the last runs, newest first. Raises StoreUnavailable."""
    return [
        RetentionRun(
            time=from_microseconds(row.time),
            seconds=row.took / 1_000_000,
            who=row.who,
            deleted=from_json(row.deleted),
            problem=row.problem,
        )
        for row in upkeep.retention_runs(store, limit)
    ]


def _row(run: RetentionRun) -> RetentionRunRow:
    return RetentionRunRow(
        time=microseconds(run.time),
        took=int(run.seconds * 1_000_000),
        who=run.who,
        deleted=to_json(run.deleted).decode(),
        problem=run.problem,
    )
