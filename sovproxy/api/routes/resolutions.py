"""Who is this client? It takes two people; the answer is for these two, and for a day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.api.told import told
from sovproxy.usecases.access.tokens import Principal
from sovproxy.usecases.analysis import resolving_clients as usecase
from sovproxy.usecases.analysis.resolving_clients import (
    APPROVERS,
    MAX_PAGE,
    REQUESTERS,
    Decision,
    Refusal,
    Resolution,
    ResolutionInput,
    ResolutionPage,
)

router = APIRouter(prefix="/api/v1", tags=["resolutions"])

Reader = Annotated[Principal, allow(*REQUESTERS, *APPROVERS)]
Requester = Annotated[Principal, allow(*REQUESTERS)]
Approver = Annotated[Principal, allow(*APPROVERS)]
ResolutionId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class ResolutionQuery(BaseModel):
    """How many questions, and where to go on."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(default=None, ge=1, le=2**63 - 1, description="`next` of a page.")


@router.get("/resolutions")
def resolutions(
    query: Annotated[ResolutionQuery, Query()], services: ServicesDep, principal: Reader
) -> ResolutionPage:
    """List questions who clients are, newest first; analysts see their own. No answer is in it."""
    now = services.clock()
    return usecase.list_resolutions(services.store, principal, now, query.limit, query.cursor)


@router.post("/resolutions", status_code=201)
def request(body: ResolutionInput, services: ServicesDep, principal: Requester) -> Resolution:
    """Ask who a client is. Another person, admin or auditor, has to approve within a week."""
    with told():
        return usecase.request(services.store, principal, body, services.clock())


@router.get("/resolutions/{resolution_id}")
def resolution(resolution_id: ResolutionId, services: ServicesDep, principal: Reader) -> Resolution:
    """Give one question; who asked and who approved also see the answer, for 24 hours."""
    with told():
        now = services.clock()
        return usecase.open_resolution(services.store, principal, resolution_id, now)


@router.post("/resolutions/{resolution_id}/approve")
def approve(
    resolution_id: ResolutionId, body: Decision, services: ServicesDep, principal: Approver
) -> Resolution:
    """Approve somebody else's question; the node that knows the client answers it."""
    return _decide(services, principal, resolution_id, body.message, approve=True)


@router.post("/resolutions/{resolution_id}/refuse")
def refuse(
    resolution_id: ResolutionId, body: Refusal, services: ServicesDep, principal: Approver
) -> Resolution:
    """Refuse somebody else's question, and say why."""
    return _decide(services, principal, resolution_id, body.message, approve=False)


def _decide(
    services: Services, principal: Principal, resolution_id: str, message: str, *, approve: bool
) -> Resolution:
    store, now = services.store, services.clock()
    with told():
        return usecase.decide(store, principal, resolution_id, message, now, approve=approve)
