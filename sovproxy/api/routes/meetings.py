"""Counts of meetings on sites that no catalogue knows, told by extensions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.throttle import RateLimit
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.worker import meetings as usecase
from sovproxy.usecases.worker.meetings import MeetingInput  # noqa: TC001  # FastAPI reads it

router = APIRouter(prefix="/api/v1/meetings", tags=["my"])

A_DAY: Final = 50
"""Sites that one worker's browser may tell of in a day."""

Me = Annotated[Principal, allow(Role.WORKER)]


def _limit(request: Request) -> RateLimit:
    app_state = request.app.state
    if not hasattr(app_state, "meeting_limit"):
        app_state.meeting_limit = RateLimit(A_DAY, 86_400)
    limit: RateLimit = app_state.meeting_limit
    return limit


@router.post("", status_code=204)
def count(
    body: MeetingInput,
    services: ServicesDep,
    limit: Annotated[RateLimit, Depends(_limit)],
    me: Me,
) -> None:
    """Count a meeting by host, standing and day. Who told it is not kept: neither here nor in the
    audit; analysts find the sum among the candidates."""
    if wait := limit.check(me.client or me.token_id, services.clock()):
        detail = f"{A_DAY} sites a day are enough; wait {wait} seconds"
        raise ApiProblem(429, "too-many-requests", detail, {"retry-after": str(wait)})
    try:
        usecase.count_meeting(services.store, body, services.clock())
    except usecase.DayFull as error:
        raise ApiProblem(409, "day-full", str(error)) from None
