"""Events: nodes deliver them, analysts search and count them."""

from __future__ import annotations

import time
from typing import Annotated
from uuid import UUID  # noqa: TC003  # FastAPI reads annotations

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.events.event import Event  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.filters import Facet  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.queries import get_event
from sovproxy.usecases.access.auditing import Act, given, record_act, record_if_personal
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.searching import (
    MAX_COUNTS,
    MAX_PAGE,
    Counts,
    EventPage,
    FilterInput,
    Order,
    count_connections,
    search_page,
)
from sovproxy.usecases.nodes.ingest import IngestAnswer, NameOfAnother, Sender, ingest

router = APIRouter(prefix="/api/v1", tags=["events"])

BODY_BYTES = {"/api/v1/events": 4 * 1024 * 1024}

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]


class EventQuery(FilterInput):
    """A search: a filter, the size of a page, and where to go on."""

    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str = Field(default="", max_length=100, description="`next` or `prev` of a page.")
    sort: Order = Order.NEWEST


class CountQuery(FilterInput):
    """A count: a filter, the facet to count by, and how many values to give at most."""

    by: Facet
    limit: int = Field(default=100, ge=1, le=MAX_COUNTS)


@router.post("/events", openapi_extra={"x-body": "ingest"})
async def deliver(
    request: Request, services: ServicesDep, principal: Annotated[Principal, allow(Role.NODE)]
) -> IngestAnswer:
    """Store a batch of events and rollups, each id once; safe to repeat.

    A malformed record is named in `refused` and the others are stored. What is accepted is
    durable when the answer leaves. 409: a record bears the name of another token's node.
    """
    return await run_in_threadpool(_take_in, services, await request.body(), principal)


def _take_in(services: Services, body: bytes, principal: Principal) -> IngestAnswer:
    begun = time.perf_counter()
    try:
        answer = ingest(services.store, body, Sender(principal, services.clock()))
    except NameOfAnother as error:
        raise ApiProblem(409, "name-of-another-node", str(error)) from error
    services.measures.ingested(answer, time.perf_counter() - begun)
    return answer


@router.get("/events", response_model=EventPage)
def search(
    query: Annotated[EventQuery, Query()], services: ServicesDep, principal: Reader
) -> Response:
    """Search events, newest first unless `sort` says otherwise."""
    page = search_page(services.store, query, query.limit, query.cursor, query.sort)
    looked_for, now = given(query), services.clock()
    record_act(services.store, principal, Act.SEARCH, looked_for, rows=len(page.items), now=now)
    return Response(page.model_dump_json(), media_type="application/json")


@router.get("/events/{event_id}")
def one_event(event_id: UUID, services: ServicesDep, principal: Reader) -> Event:
    """Give one event by its id."""
    event = get_event(services.store, event_id)
    looked_for, rows = {"id": str(event_id)}, int(event is not None)
    record_act(services.store, principal, Act.EVENT, looked_for, rows=rows, now=services.clock())
    if event is None:
        raise ApiProblem(404, "no-such-event", "there is no event with this id")
    return event


@router.get("/counts")
def counts(
    query: Annotated[CountQuery, Query()], services: ServicesDep, principal: Reader
) -> Counts:
    """Count connections by a facet, from events and rollups together."""
    answer = count_connections(services.store, query, query.by, query.limit)
    rows = len(answer.items)
    now = services.clock()
    record_if_personal(services.store, principal, Act.COUNTS, query, rows=rows, now=now)
    return answer
