"""A room on Visio, for a worker whose meeting was stopped."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.api.throttle import RateLimit
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.worker import rooms as usecase
from sovproxy.usecases.worker.rooms import (
    Room,  # noqa: TC001  # FastAPI reads them
    RoomInput,  # noqa: TC001  # as above
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.usecases.worker.rooms import VisioSettings

router = APIRouter(prefix="/api/v1/rooms", tags=["my"])
log = logging.getLogger(__name__)

ROOMS: Final = 10
SECONDS: Final = 3600
"""One worker makes at most ten rooms an hour."""

MAX_AT_ONCE: Final = 8
"""Rooms that are being made at a time, in one process: Visio may be slow, and is not ours."""


@dataclass(slots=True)
class RoomLimits:
    """How many rooms each client has made, and how many are being made now."""

    made: RateLimit = field(default_factory=lambda: RateLimit(ROOMS, SECONDS))
    under_way: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place while a room is made. Raises ApiProblem when all are taken."""
        if self.under_way >= MAX_AT_ONCE:
            detail = "too many rooms are being made at the moment; try again in some seconds"
            raise ApiProblem(503, "busy", detail, {"retry-after": "5"})
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


def _limits(request: Request) -> RoomLimits:
    app_state = request.app.state
    if not hasattr(app_state, "room_limits"):
        app_state.room_limits = RoomLimits()
    limits: RoomLimits = app_state.room_limits
    return limits


Me = Annotated[Principal, allow(Role.WORKER)]
LimitsDep = Annotated[RoomLimits, Depends(_limits)]


@router.post("", status_code=201)
async def create(body: RoomInput, services: ServicesDep, limits: LimitsDep, me: Me) -> Room:
    """Make a room on Visio, where the administration has set that up; 404 `no-rooms` elsewhere.

    The audit tells that a room was made, and for nobody in particular: neither link nor address.
    """
    visio = _visio(services)
    if wait := limits.made.check(me.client or me.token_id, services.clock()):
        detail = f"{ROOMS} rooms an hour are enough; wait {wait} seconds"
        raise ApiProblem(429, "too-many-requests", detail, {"retry-after": str(wait)})
    with limits.one(), _told():
        visio.owner_of(body.email)
        await run_in_threadpool(_note, services, me)
        return await usecase.create_room(visio, body)


def _visio(services: Services) -> VisioSettings:
    if services.visio is None:
        detail = "the administration has not set up the making of rooms here"
        raise ApiProblem(404, "no-rooms", detail)
    return services.visio


def _note(services: Services, me: Principal) -> None:
    record_act(services.store, me, Act.ROOM_CREATE, {}, now=services.clock())


@contextmanager
def _told() -> Iterator[None]:
    """Tell what went wrong; what Visio said to us is for the log alone."""
    try:
        yield
    except usecase.NoOwner as error:
        raise ApiProblem(409, "no-owner", str(error)) from None
    except usecase.UnknownToVisio as error:
        raise ApiProblem(409, "unknown-to-visio", f"{error}; sign in to Visio once") from None
    except usecase.VisioUnavailable as error:
        log.warning("no room could be made: %s", error)
        detail = "Visio could not make a room; open it and make one there"
        raise ApiProblem(502, "visio-unavailable", detail) from None
