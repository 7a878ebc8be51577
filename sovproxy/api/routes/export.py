"""Export: all events that fit a filter, streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from sovproxy.api.access import allow
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.events.export import ExportFormat
from sovproxy.usecases.access.auditing import Act, given, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.exporting import export as write_export
from sovproxy.usecases.analysis.searching import (
    DEFAULT_EXPORT,
    MAX_EXPORT,
    FilterInput,
    count_matching,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sovproxy.api.streams import Seat, Streams

router = APIRouter(prefix="/api/v1", tags=["events"])

ROWS_HEADER = "x-sovproxy-rows"
TRUNCATED_HEADER = "x-sovproxy-truncated"
_FILE = {"schema": {"type": "string", "format": "binary"}}
_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events, newest first.",
        "content": {form.media_type.partition(";")[0]: _FILE for form in ExportFormat},
        "headers": {
            "X-Sovproxy-Rows": {"description": "Rows that follow.", "schema": {"type": "integer"}},
            "X-Sovproxy-Truncated": {
                "description": "Whether the limit has cut some off.",
                "schema": {"type": "string", "enum": ["true", "false"]},
            },
        },
    }
}

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]


class ExportQuery(FilterInput):
    """A filter, the format, and how many events at most."""

    format: ExportFormat
    limit: int = Field(default=DEFAULT_EXPORT, ge=1, le=MAX_EXPORT)


@router.get("/export", response_class=StreamingResponse, responses=_RESPONSE)
async def export(
    request: Request,
    query: Annotated[ExportQuery, Query()],
    services: ServicesDep,
    principal: Reader,
) -> StreamingResponse:
    """Write the events that fit, newest first.

    As CSV, JSON Lines, ECS, OCSF (HTTP Activity 4002), or Parquet.

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
    body = _body(seat, write_export(services.store, query, query.format, rows))
    return StreamingResponse(body, headers=headers, media_type=query.format.media_type)


def _begin(services: Services, principal: Principal, query: ExportQuery) -> tuple[int, bool]:
    """Say how many events will be shown, and record that they are."""
    number = count_matching(services.store, query, query.limit + 1)
    rows = min(number, query.limit)
    now = services.clock()
    record_act(services.store, principal, Act.EXPORT, given(query), rows=rows, now=now)
    return rows, number > query.limit


async def _body(seat: Seat, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for part in iterate_in_threadpool(parts):
            yield part
    finally:
        seat.leave()
