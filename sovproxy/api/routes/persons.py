"""Access and erasure for one person, carried out by an admin; by name it takes two people."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from sovproxy.api.access import allow
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.told import told
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.resolving_clients import APPROVERS, Decision, Refusal
from sovproxy.usecases.worker import persons as usecase
from sovproxy.usecases.worker.persons import (  # FastAPI reads annotations
    PersonData,  # noqa: TC001  # as above
    PersonInput,  # noqa: TC001  # as above
    PersonRequest,  # noqa: TC001  # as above
    PersonRequests,  # noqa: TC001  # as above
)

router = APIRouter(prefix="/api/v1/persons", tags=["persons"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Approver = Annotated[Principal, allow(*APPROVERS)]
RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


@router.get("/requests", summary="Requests of persons")
def requests(services: ServicesDep, principal: Approver) -> PersonRequests:
    """List the newest requests; only who asked or decided sees the pseudonyms."""
    return usecase.list_requests(services.store, principal, services.clock())


@router.post("/requests", status_code=201, summary="Ask for a person's data or its erasure")
def ask(body: PersonInput, services: ServicesDep, principal: Admin) -> PersonRequest:
    """Ask by pseudonyms, and carry it out; or by name, which another person has to approve."""
    with told():
        return usecase.ask(services.store, principal, body, services.clock(), services.pseudonyms)


@router.post("/requests/{request_id}/approve")
def approve(
    request_id: RequestId, body: Decision, services: ServicesDep, principal: Approver
) -> PersonRequest:
    """Approve what somebody else asked for by name; it can be carried out for 24 hours then."""
    with told():
        return usecase.decide(
            services.store, principal, request_id, body.message, services.clock(), approve=True
        )


@router.post("/requests/{request_id}/refuse")
def refuse(
    request_id: RequestId, body: Refusal, services: ServicesDep, principal: Approver
) -> PersonRequest:
    """Refuse what somebody else asked for by name, and say why."""
    with told():
        return usecase.decide(
            services.store, principal, request_id, body.message, services.clock(), approve=False
        )


@router.get("/requests/{request_id}/data", summary="What is held of a person")
def data(request_id: RequestId, services: ServicesDep, principal: Admin) -> PersonData:
    """Give all that is held, to who asked for it; each time leaves an entry in the audit."""
    with told():
        return usecase.give(services.store, principal, request_id, services.clock())


@router.post("/requests/{request_id}/erase", summary="Erase what is held of a person")
def erase(request_id: RequestId, services: ServicesDep, principal: Admin) -> PersonRequest:
    """Erase it, and tell how much of what it was, and what stays and why."""
    with told():
        return usecase.erase(services.store, principal, request_id, services.clock())
