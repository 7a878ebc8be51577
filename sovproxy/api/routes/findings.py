"""Findings and suppressions: what analysts mark, and what they do not want to see again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from sovproxy.api.access import allow
from sovproxy.api.etags import IfMatch, tagged
from sovproxy.api.routes.policy import Desk  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.api.told import told
from sovproxy.usecases.access.auditing import Act, record_if_personal
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis import findings as usecase
from sovproxy.usecases.analysis import suppressing
from sovproxy.usecases.analysis.candidates import MAX_CANDIDATES, CandidateList, candidates
from sovproxy.usecases.analysis.findings import (
    MAX_PAGE,
    FindingChange,
    FindingFilter,
    FindingInput,
    FindingPage,
    FindingRecord,
    NoteInput,
)
from sovproxy.usecases.analysis.raising import Proposal, RuleWish, propose, wished_today
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.analysis.suppressing import (  # noqa: TC001  # FastAPI reads annotations
    Suppression,
    SuppressionInput,
)

router = APIRouter(prefix="/api/v1", tags=["findings"])

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
CANDIDATE_DAYS = 7


class FindingQuery(FindingFilter):
    """Which findings, and where to go on."""

    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1, description="`next` of a page.")


class SuppressionList(BaseModel):
    """Suppressions, newest first: all that are in force, or the last 500 that have ended."""

    items: list[Suppression]


class CandidateQuery(FilterInput):
    """A filter (the last seven days if it has no `since`), and how many hosts at most."""

    limit: int = Field(default=50, ge=1, le=MAX_CANDIDATES)


@router.get("/findings")
def findings(
    query: Annotated[FindingQuery, Query()], services: ServicesDep, principal: Reader
) -> FindingPage:
    """List findings, the last marked first, with the number of each state."""
    _ = principal
    return usecase.list_findings(services.store, query, query.limit, query.cursor)


@router.post(
    "/findings",
    status_code=201,
    responses={200: {"model": FindingRecord, "description": "This was marked before."}},
)
def mark(
    body: FindingInput, response: Response, services: ServicesDep, principal: Reader
) -> FindingRecord:
    """Mark an event, a host, a service, a network, an operator, or a service of one group.

    What is marked already is answered as it stands.
    """
    found, new = usecase.mark(services.store, principal, body, services.clock())
    response.status_code = 201 if new else 200
    return tagged(response, found)


@router.post("/findings/rule")
def propose_rule(principal: Reader, body: RuleWish, desk: Desk) -> Proposal:
    """Propose a rule: as YAML, and in the text of the policy in force, checked as that is.

    Nothing is kept: `POST /policy/drafts` keeps the text, and an admin applies it.
    """
    _ = principal
    return propose(desk.in_force().text, body, desk.findings, wished_today(desk.judge, body))


@router.get("/findings/{finding_id}")
def finding(
    finding_id: Number, response: Response, services: ServicesDep, principal: Reader
) -> FindingRecord:
    """Give one finding with its history."""
    _ = principal
    with told():
        return tagged(response, usecase.get_finding(services.store, finding_id))


@router.patch("/findings/{finding_id}")
def change(
    finding_id: Number,
    body: FindingChange,
    response: Response,
    services: ServicesDep,
    principal: Reader,
    *,
    if_match: IfMatch = "",
) -> FindingRecord:
    """Change state, assignee or tags of a finding; each change is a line in its history."""
    with told():
        store, now = services.store, services.clock()
        done = usecase.change_finding(store, principal, finding_id, body, now, match=if_match)
        return tagged(response, done)


@router.post("/findings/{finding_id}/notes", status_code=201)
def annotate(
    finding_id: Number,
    body: NoteInput,
    response: Response,
    services: ServicesDep,
    principal: Reader,
) -> FindingRecord:
    """Add an annotation. It cannot be changed or deleted afterwards."""
    with told():
        now = services.clock()
        done = usecase.annotate(services.store, principal, finding_id, body.text, now)
        return tagged(response, done)


@router.get("/suppressions")
def suppressions(
    services: ServicesDep,
    principal: Reader,
    *,
    ended: Annotated[bool, Query(description="Those that have ended instead.")] = False,
) -> SuppressionList:
    """List the suppressions in force, or those that have ended."""
    _ = principal
    found = suppressing.suppressions(services.store, services.clock(), ended=ended)
    return SuppressionList(items=found)


@router.post("/suppressions", status_code=201)
def suppress(body: SuppressionInput, services: ServicesDep, principal: Reader) -> Suppression:
    """Do not show a value again, until it expires or is lifted.

    Lists of what is new, candidates, the console's events and its live tail leave it out; exports,
    searches of the API and the audit never do.
    """
    with told():
        return suppressing.suppress(services.store, principal, body, services.clock())


@router.delete("/suppressions/{suppression_id}")
def lift(suppression_id: Number, services: ServicesDep, principal: Reader) -> Suppression:
    """Show a value again."""
    with told():
        return suppressing.lift(services.store, principal, suppression_id, services.clock())


@router.get("/candidates")
def list_candidates(
    query: Annotated[CandidateQuery, Query()], services: ServicesDep, principal: Reader
) -> CandidateList:
    """List the hosts seen most often that no entry of the catalogue covers."""
    now = services.clock()
    since = query.since or (query.until or now) - timedelta(days=CANDIDATE_DAYS)
    asked = query.model_copy(update={"since": since})
    found = candidates(
        services.store,
        asked,
        now,
        covered=lambda host: is_covered(services, host),
        limit=query.limit,
    )
    rows = len(found.items)
    record_if_personal(services.store, principal, Act.CANDIDATES, query, rows=rows, now=now)
    return found


def is_covered(services: Services, host: str) -> bool:
    """Whether the catalogue of today has a service for a host."""
    return bool(services.judge.check(host).get("service"))
