"""The audit: who looked at what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.audit_chain import ChainState  # noqa: TC001  # as above
from sovproxy.usecases.access.auditing import MAX_ENTRIES, Act, AuditFilter, AuditPage, audit_page
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.searching import MAX_VALUES, Value

router = APIRouter(prefix="/api/v1", tags=["audit"], dependencies=[allow(Role.AUDITOR, Role.ADMIN)])


class AuditQuery(BaseModel):
    """Which entries: of these kinds, by these tokens or accounts (public ids), by a part of the
    name, in a range of time (`since` included, `until` not), from a cursor on.
    """

    model_config = ConfigDict(extra="forbid")

    what: list[Act] = Field(default=[], max_length=len(Act))
    token: list[Value] = Field(default=[], max_length=MAX_VALUES)
    name: str = Field(default="", max_length=64)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: int = Field(default=50, ge=1, le=MAX_ENTRIES)
    cursor: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="`next` of the page before."
    )


@router.get("/audit")
def audit(query: Annotated[AuditQuery, Query()], services: ServicesDep) -> AuditPage:
    """Give the entries, newest first."""
    wanted = AuditFilter(
        whats=query.what,
        tokens=query.token,
        name=query.name,
        since=query.since,
        until=query.until,
    )
    return audit_page(services.store, query.limit, query.cursor, wanted)


@router.get("/audit/chain", summary="Whether the audit is whole")
def chain(services: ServicesDep) -> ChainState:
    """Give what the last check of the audit's chain found; the API checks it every hour."""
    if services.audit_watch is None:
        raise ApiProblem(404, "no-chain", "this API does not watch the audit")
    return services.audit_watch.state
