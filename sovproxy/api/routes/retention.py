"""Retention: how long data is kept, when it was last seen to, and now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sovproxy.api.access import allow
from sovproxy.api.background import apply_retention
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.upkeep.keeping import INTERVAL_SECONDS, Kept, RetentionRun, kept, last_runs

router = APIRouter(prefix="/api/v1", tags=["retention"])

Admin = Annotated[Principal, allow(Role.ADMIN)]


class Retention(BaseModel):
    """How long each kind of data is kept, the last runs (newest first) and about the next."""

    kept: list[Kept]
    runs: list[RetentionRun]
    next: datetime | None = Field(description="Null before the first run.")


@router.get(
    "/retention",
    summary="How long data is kept",
    dependencies=[allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)],
)
def retention(services: ServicesDep) -> Retention:
    """Tell how long each kind of data is kept, by whose word, and what the last runs deleted."""
    runs = last_runs(services.store)
    by_the_clock = next((run.time for run in runs if not run.who), None)
    following = by_the_clock + timedelta(seconds=INTERVAL_SECONDS) if by_the_clock else None
    return Retention(kept=kept(services.retention_days()), runs=runs, next=following)


@router.post("/retention/runs", status_code=201, summary="Run retention now")
def run(services: ServicesDep, principal: Admin) -> RetentionRun:
    """Delete what is too old now, instead of within the hour."""
    record_act(services.store, principal, Act.RETENTION_RUN, {}, now=services.clock())
    return apply_retention(services, principal.name)
