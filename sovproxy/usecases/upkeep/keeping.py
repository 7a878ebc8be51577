"""How long each kind of data is kept, and the job that sees to it."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from sovproxy.errors import SovproxyError
from sovproxy.events.text import clean_text
from sovproxy.store import audit, upkeep
from sovproxy.store.findings import delete_old_findings
from sovproxy.store.fleet import delete_old_acknowledgements
from sovproxy.store.persons import delete_old_requests
from sovproxy.store.resolutions import delete_old_resolutions
from sovproxy.store.retention import ROLLUP_DAYS, delete_old_events, delete_old_rollups
from sovproxy.store.tables import RetentionRunRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.store.tokens import delete_old_tokens
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.resolving_clients import ResolutionState
from sovproxy.usecases.worker.exceptions import forget_ended
from sovproxy.usecases.worker.meetings import forget_meetings

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.chain import Deleted
    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 3600
MAX_RUNS: Final = 50
AUDIT_DAYS: Final = 1095
"""Three years, which is what the CNIL has as the longest for logs of internal control."""

AUDIT_AT_ONCE: Final = timedelta(days=7)
"""Entries of the audit go a week at a time, as each time leaves an entry."""

FINDING_DAYS: Final = 730


class Kept(BaseModel):
    """How long one kind of data is kept. `days` is 0 for what goes when it is over."""

    kind: str = Field(examples=["events"])
    days: int = Field(examples=[183])
    set_by: str = Field(description="What says so.", examples=["policy"])


class RetentionRun(BaseModel):
    """One run. `who` is empty if it ran by the clock; `deleted` counts rows by kind of data."""

    time: datetime
    seconds: float = Field(examples=[0.4])
    who: str = Field(examples=[""])
    deleted: dict[str, int] = Field(examples=[{"events": 1200, "rollups": 0}])
    problem: str = Field(description="Empty, or why it did not end well.", examples=[""])


class _Job(NamedTuple):
    """One kind of data. `days` gives 0 where something else than age ends it."""

    kind: str
    set_by: str
    days: Callable[[int], int]
    delete: Callable[[Store, datetime, int], int]


def _before(now: datetime, days: int) -> int:
    return microseconds(now - timedelta(days=days))


def _delete_resolutions(store: Store, now: datetime, days: int) -> int:
    open_states = (ResolutionState.WAITING, ResolutionState.APPROVED)
    return delete_old_resolutions(store, _before(now, days), open_states)


def _delete_audit(store: Store, now: datetime, _days: int) -> int:
    """Old entries go, and one is added first that tells of it and holds the chain."""

    def checkpoint(told: Deleted) -> AuditRow:
        details = {"through": told.through, "hash": told.hash, "until": told.until}
        itself = Principal("", "sovproxy", Role.ADMIN)
        return act_entry(itself, Act.AUDIT_CHECKPOINT, details, now=now)

    oldest = audit.oldest_time(store)
    if oldest is None or oldest >= _before(now, AUDIT_DAYS):
        return 0
    return audit.delete_before(store, _before(now + AUDIT_AT_ONCE, AUDIT_DAYS), checkpoint)


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
    _Job("resolutions", "policy", lambda days: days, _delete_resolutions),
    _Job(
        "person_requests",
        "policy",
        lambda days: days,
        lambda store, now, days: delete_old_requests(store, _before(now, days)),
    ),
    _Job(
        "findings",
        "sovproxy",
        lambda _: FINDING_DAYS,
        lambda store, now, _: delete_old_findings(store, _before(now, FINDING_DAYS)),
    ),
    _Job(
        "tokens",
        "sovproxy",
        lambda _: AUDIT_DAYS,
        lambda store, now, _: delete_old_tokens(store, _before(now, AUDIT_DAYS)),
    ),
    _Job("audit", "sovproxy", lambda _: AUDIT_DAYS, _delete_audit),
)


def kept(retention_days: int) -> list[Kept]:
    """How long each kind of data is kept when the policy says `retention_days` of events."""
    return [Kept(kind=job.kind, days=job.days(retention_days), set_by=job.set_by) for job in _JOBS]


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
