"""Export: all events that fit a filter, streamed."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from sovproxy.api.access import allow
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.events.export import ExportFormat, export_lines
from sovproxy.usecases.auditing import Act, given, record_act
from sovproxy.usecases.searching import (
    DEFAULT_EXPORT,
    MAX_EXPORT,
    FilterInput,
    count_matching,
    search_all,
)
from sovproxy.usecases.tokens import Principal, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sovproxy.api.streams import Seat, Streams

router = APIRouter(prefix="/api/v1", tags=["events"])

ROWS_HEADER = "x-sovproxy-rows"
TRUNCATED_HEADER = "x-sovproxy-truncated"
_LINES = 500
_TYPES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/x-ndjson": {"schema": {"type": "string"}},
}

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]


class ExportQuery(FilterInput):
    """A filter, the format, and how many events at most."""

    format: ExportFormat
    limit: int = Field(default=DEFAULT_EXPORT, ge=1, le=MAX_EXPORT)


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": _TYPES}})
async def export(
    request: Request,
    query: Annotated[ExportQuery, Query()],
    services: ServicesDep,
    principal: Reader,
) -> StreamingResponse:
    """Write the events that fit, newest first: CSV, JSON Lines, ECS, or OCSF (HTTP Activity 4002).

    `X-Sovproxy-Rows` tells how many there are in the answer, `X-Sovproxy-Truncated` whether the
    limit has cut some off.
    """
    streams: Streams = request.app.state.streams
    seat = streams.enter(principal)
    rows, truncated = await run_in_threadpool(_begin, services, principal, query)
    headers = {
        "content-disposition": f'attachment; filename="sovproxy-events.{query.format.extension}"',
        ROWS_HEADER: str(rows),
        TRUNCATED_HEADER: "true" if truncated else "false",
    }
    body = _body(seat, _parts(services, query, rows))
    return StreamingResponse(body, headers=headers, media_type=query.format.media_type)


def _begin(services: Services, principal: Principal, query: ExportQuery) -> tuple[int, bool]:
    """Say how many events will be shown, and record that they are."""
    number = count_matching(services.store, query, query.limit + 1)
    rows = min(number, query.limit)
    now = services.clock()
    record_act(services.store, principal, Act.EXPORT, given(query), rows=rows, now=now)
    return rows, number > query.limit


def _parts(services: Services, query: ExportQuery, rows: int) -> Iterator[bytes]:
    events = search_all(services.store, query, rows)
    for lines in batched(export_lines(query.format, events), _LINES):
        yield "".join(lines).encode()


async def _body(seat: Seat, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for part in iterate_in_threadpool(parts):
            yield part
    finally:
        seat.leave()
