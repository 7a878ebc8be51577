"""Exceptions: ask, see what waits and what holds, grant, refuse, revoke, give up."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID  # noqa: TC003  # FastAPI reads annotations

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.etags import IfMatch, tagged
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.worker import exceptions as usecase
from sovproxy.usecases.worker.exception_desk import Desk
from sovproxy.usecases.worker.exception_models import (
    CannotBeExcepted,
    Client,
    ExceptionConflict,
    ExceptionDetail,
    ExceptionInput,
    ExceptionPage,
    ExceptionQuery,
    GrantInput,
    NotForYou,
    Text,
    TooManyRequests,
    UnknownException,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

router = APIRouter(prefix="/api/v1", tags=["exceptions"])

Asker = Annotated[Principal, allow(Role.NODE, Role.WORKER, Role.ADMIN)]
Own = Annotated[Principal, allow(Role.NODE, Role.WORKER)]
Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)]
Admin = Annotated[Principal, allow(Role.ADMIN)]
IfNoneMatch = Annotated[str, Header(max_length=1000, description="ETags that you have already.")]
MAX_CLIENTS = 50


class MessageInput(BaseModel):
    """Words to the worker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: Text = Field(default="", examples=["Please use Visio: they can join by telephone."])


class WithdrawInput(BaseModel):
    """On whose behalf a node gives up a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client: Client = ""


class OwnQuery(ExceptionQuery):
    """As for the queue; a node names the pseudonyms of the client that asks."""

    client: list[Annotated[Client, Field(min_length=1)]] = Field(
        default=[], max_length=MAX_CLIENTS, description="Pseudonym. Nodes only."
    )


@router.post(
    "/exceptions",
    status_code=201,
    responses={200: {"model": ExceptionDetail, "description": "This was asked for before."}},
)
def ask(
    body: ExceptionInput, response: Response, services: ServicesDep, principal: Asker
) -> ExceptionDetail:
    """Ask for an exception: it waits in the queue until somebody answers.

    A node asks on behalf of a client, a worker for themselves, an admin for somebody. The same
    request again (by its id, or by client and destination while it waits) is answered as it stands.
    """
    with _told():
        found, is_new = _desk(services, principal).ask(body)
    response.status_code = 201 if is_new else 200
    return tagged(response, found)


@router.get("/exceptions")
def queue(
    query: Annotated[ExceptionQuery, Query()], services: ServicesDep, principal: Reader
) -> ExceptionPage:
    """List requests, newest first or oldest first. The look leaves an audit entry."""
    found = usecase.page(services.store, query, services.clock())
    details = query.model_dump(mode="json", exclude_defaults=True)
    _note_look(services, principal, details, len(found.items))
    return found


@router.get("/exceptions/mine")
def mine(
    query: Annotated[OwnQuery, Query()], services: ServicesDep, principal: Own
) -> ExceptionPage:
    """List what a worker has asked for; or, for a node, what one client of it has."""
    if principal.role is Role.NODE:
        if not query.client:
            raise ApiProblem(422, "invalid-request", "query.client: name the client's pseudonyms")
        return usecase.page(services.store, query, services.clock(), clients=query.client)
    if query.client:
        raise ApiProblem(422, "invalid-request", "query.client: only a node names clients")
    if principal.client:
        return usecase.page(services.store, query, services.clock(), clients=principal.clients)
    return usecase.page(services.store, query, services.clock(), askers=[principal.token_id])


@router.get(
    "/exceptions/{exception_id}",
    response_model=ExceptionDetail,
    responses={304: {"description": "It is as you have read it."}},
)
def read(
    exception_id: UUID,
    response: Response,
    services: ServicesDep,
    principal: Reader,
    if_none_match: IfNoneMatch = "",
) -> ExceptionDetail | Response:
    """Give one request with its history. The look leaves an audit entry."""
    with _told():
        found = usecase.detail(services.store, exception_id, services.clock())
    if found.etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers={"etag": found.etag})
    _note_look(services, principal, {"number": found.number}, 1)
    return tagged(response, found)


@router.post("/exceptions/{exception_id}/grant")
def grant(
    exception_id: UUID,
    body: GrantInput,
    services: ServicesDep,
    principal: Admin,
    if_match: IfMatch = "",
) -> ExceptionDetail:
    """Grant what waits: nodes know it within two seconds. Nobody grants their own request."""
    with _told():
        return _desk(services, principal).grant(exception_id, body, if_match)


@router.post("/exceptions/{exception_id}/refuse")
def refuse(
    exception_id: UUID,
    body: MessageInput,
    services: ServicesDep,
    principal: Admin,
    if_match: IfMatch = "",
) -> ExceptionDetail:
    """Refuse what waits, with a message to the worker."""
    with _told():
        return _desk(services, principal).refuse(exception_id, body.message, if_match)


@router.post("/exceptions/{exception_id}/revoke")
def revoke(
    exception_id: UUID,
    body: MessageInput,
    services: ServicesDep,
    principal: Admin,
    if_match: IfMatch = "",
) -> ExceptionDetail:
    """Take back what was granted: nodes know it within two seconds."""
    with _told():
        return _desk(services, principal).revoke(exception_id, body.message, if_match)


@router.post("/exceptions/{exception_id}/withdraw")
def withdraw(
    exception_id: UUID,
    body: WithdrawInput,
    services: ServicesDep,
    principal: Asker,
    if_match: IfMatch = "",
) -> ExceptionDetail:
    """Give up a request or an exception of one's own; a node does it for a client."""
    with _told():
        return _desk(services, principal).withdraw(exception_id, body.client, if_match)


def _desk(services: Services, principal: Principal) -> Desk:
    return Desk(services.store, principal, services.clock(), services.exception_days())


def _note_look(
    services: Services, principal: Principal, details: dict[str, object], rows: int
) -> None:
    now = services.clock()
    record_act(services.store, principal, Act.EXCEPTIONS, details, rows=rows, now=now)


@contextmanager
def _told() -> Iterator[None]:
    """Tell as a problem what went wrong at the desk."""
    try:
        yield
    except UnknownException as error:
        raise ApiProblem(404, "not-found", str(error)) from None
    except ExceptionConflict as error:
        status, slug = (412, "changed") if error.stale else (409, "conflict")
        raise ApiProblem(status, slug, str(error)) from None
    except NotForYou as error:
        raise ApiProblem(403, "not-for-you", str(error)) from None
    except CannotBeExcepted as error:
        raise ApiProblem(422, "invalid-request", str(error)) from None
    except TooManyRequests as error:
        headers = {"retry-after": str(error.seconds)}
        raise ApiProblem(429, "too-many-requests", str(error), headers) from None
