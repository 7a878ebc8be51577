"""Live tail: events as they arrive, as server-sent events."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator  # noqa: TC003  # FastAPI reads annotations
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import anyio
from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials

from sovproxy.api.access import allow, principal_or_none
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.store.database import StoreUnavailable
from sovproxy.store.queries import last_arrival, numbered_arrivals
from sovproxy.usecases.access.auditing import Act, given, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.searching import FilterInput
from sovproxy.usecases.analysis.suppressing import hiding, leaving_out, suppressions

if TYPE_CHECKING:
    from sovproxy.api.streams import Seat, Streams
    from sovproxy.events.event import Event

router = APIRouter(prefix="/api/v1", tags=["events"])

POLL_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 15.0
MAX_MISSED: Final = 10_000
RETRY_MILLISECONDS: Final = 2000
STATE_SECONDS: Final = 5.0
MEDIA_TYPE: Final = "text/event-stream"

_SEQ = re.compile(r"[0-9]{1,19}")
_LARGEST: Final = 2**63 - 1
_EXAMPLE = 'id: 1042\ndata: {"id": "…", "time": "2026-11-23T08:30:00Z", "host": "zoom.us", …}\n\n'

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]


class Suppressed(StrEnum):
    """Whether a stream leaves out what somebody does not want to see."""

    SHOW = "show"
    HIDE = "hide"


class StreamQuery(FilterInput):
    """A filter. With `suppressed=hide`, values that are suppressed at that moment are left out."""

    suppressed: Suppressed = Suppressed.SHOW


LastId = Annotated[str, Header(alias="Last-Event-ID", max_length=20)]


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"example": _EXAMPLE}}}},
)
async def stream(
    request: Request,
    query: Annotated[StreamQuery, Query()],
    services: ServicesDep,
    principal: Reader,
    last_event_id: LastId = "",
) -> StreamingResponse:
    """Send events as they arrive, in order of arrival, each with the number of its arrival as id.

    With `Last-Event-ID` it goes on there, 10,000 arrivals back at most (an event `gap` tells if
    there were more). An event `state` tells every 5 seconds at most by how many `seconds` the last
    event is behind, from its time to now, and how many arrivals are still to be looked at
    (`waiting`). A comment every 15 seconds shows that it lives. It ends with the token or the
    session, and with the server.
    """
    seen = await run_in_threadpool(_begin, services, last_event_id)
    streams: Streams = request.app.state.streams
    seat = streams.enter(principal)
    await run_in_threadpool(_record, services, principal, Act.STREAM, query, 0)
    tail = _Tail(request, services, principal, query, streams, seat, seen)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(tail.messages(), media_type=MEDIA_TYPE, headers=headers)


@dataclass(slots=True)
class _Tail:
    """One open stream: where it is, and how many events it has sent."""

    request: Request
    services: Services
    principal: Principal
    query: StreamQuery
    streams: Streams
    seat: Seat
    seen: int
    sent: int = 0
    beat: float = field(default_factory=time.monotonic)
    stated: float = -STATE_SECONDS

    async def messages(self) -> AsyncIterator[bytes]:
        """Everything that is sent, until the client goes, its right ends or the server stops."""
        try:
            # Without an id, a browser that got no event would come back to the newest, past some.
            yield b"retry: %d\nid: %d\n\n" % (RETRY_MILLISECONDS, self.seen)
            async for message in self._messages():
                yield message
        finally:
            with anyio.CancelScope(shield=True):
                await self._leave()

    async def _messages(self) -> AsyncIterator[bytes]:
        newest = await run_in_threadpool(last_arrival, self.services.store)
        if newest - self.seen > MAX_MISSED:
            yield b'event: gap\ndata: {"missed": %d}\n\n' % (newest - MAX_MISSED - self.seen)
            self.seen = newest - MAX_MISSED
        while not self.streams.closing.is_set() and not await self.request.is_disconnected():
            events = await self._arrivals()
            for seq, event in events:
                self.sent += 1
                yield b"id: %d\ndata: %s\n\n" % (seq, event.to_json())
            if events and time.monotonic() - self.stated >= STATE_SECONDS:
                yield await run_in_threadpool(self._state, events[-1][1])
            if self._is_time_to_beat():
                if not await run_in_threadpool(self._still_allowed):
                    return
                yield b"id: %d\n: alive\n\n" % self.seen
            if not events and await self.streams.pause(POLL_SECONDS):
                return

    async def _arrivals(self) -> list[tuple[int, Event]]:
        """What has arrived; nothing while the store is away, which it may come back from."""
        try:
            events, self.seen = await run_in_threadpool(self._look)
        except StoreUnavailable:
            await asyncio.sleep(POLL_SECONDS)
            return []
        return events

    def _look(self) -> tuple[list[tuple[int, Event]], int]:
        store, query = self.services.store, self.query
        if query.suppressed is Suppressed.HIDE:
            in_force = suppressions(store, self.services.clock())
            query = leaving_out(query, hiding(query, in_force))
        return numbered_arrivals(store, query.to_filter(), self.seen)

    def _state(self, last: Event) -> bytes:
        """How far behind the stream is; nothing while the store is away."""
        self.stated = time.monotonic()
        behind = max(0.0, (self.services.clock() - last.time).total_seconds())
        with suppress(StoreUnavailable):
            waiting = max(0, last_arrival(self.services.store) - self.seen)
            return b'event: state\ndata: {"seconds": %.1f, "waiting": %d}\n\n' % (behind, waiting)
        return b""

    def _is_time_to_beat(self) -> bool:
        if time.monotonic() - self.beat < HEARTBEAT_SECONDS:
            return False
        self.beat = time.monotonic()
        return True

    def _still_allowed(self) -> bool:
        """Whether the token or session that the stream was opened with is still in force."""
        try:
            caller = principal_or_none(self.request, self.services, _credentials(self.request))
        except StoreUnavailable:
            return True
        return caller == self.principal

    async def _leave(self) -> None:
        self.seat.leave()
        await run_in_threadpool(
            _record, self.services, self.principal, Act.STREAM_END, self.query, self.sent
        )


def _credentials(request: Request) -> HTTPAuthorizationCredentials | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return HTTPAuthorizationCredentials(scheme=scheme, credentials=token) if token else None


def _begin(services: Services, last_event_id: str) -> int:
    if not last_event_id:
        return last_arrival(services.store)
    if not _SEQ.fullmatch(last_event_id) or int(last_event_id) > _LARGEST:
        raise ApiProblem(422, "invalid-request", "Last-Event-ID: an id of this stream is wanted")
    return int(last_event_id)


def _record(
    services: Services, principal: Principal, what: Act, query: StreamQuery, rows: int
) -> None:
    record_act(services.store, principal, what, given(query), rows=rows, now=services.clock())
