"""What a worker may know and do about themselves, by a token that a node has signed."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from sovproxy.api.access import allow, too_many
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.api.throttle import RateLimit
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.findings import TooManyNotes
from sovproxy.usecases.worker import own_data as usecase
from sovproxy.usecases.worker.own_data import (
    MAX_PAGE,
    AcknowledgementInput,
    Contest,
    ContestInput,
    OwnAcknowledgement,
    OwnData,
    Permissions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.api.streams import Streams
    from sovproxy.usecases.policy.judging import Judge

router = APIRouter(prefix="/api/v1/my", tags=["my"])

MAX_WAIT: Final = 25
MAX_WAITING: Final = 200
"""Workers that may wait for a change at once, in one process; others are answered at once."""

LOOK_SECONDS: Final = 0.5


@dataclass(slots=True)
class OwnLimits:
    """How often one client may ask and act, and how many wait at present."""

    reads: RateLimit = field(default_factory=lambda: RateLimit(120, 60))
    acts: RateLimit = field(default_factory=lambda: RateLimit(60, 300))
    contests: RateLimit = field(default_factory=lambda: RateLimit(20, 86_400))
    waiting: int = 0


def _limits(request: Request) -> OwnLimits:
    app_state = request.app.state
    if not hasattr(app_state, "own_limits"):
        app_state.own_limits = OwnLimits()
    limits: OwnLimits = app_state.own_limits
    return limits


LimitsDep = Annotated[OwnLimits, Depends(_limits)]


def _worker(
    principal: Annotated[Principal, allow(Role.WORKER)], services: ServicesDep, limits: LimitsDep
) -> Principal:
    """Whoever asks about themselves. Raises ApiProblem."""
    if not principal.client:
        detail = "this token names no client; the extension gets one by http://sovproxy.internal"
        raise ApiProblem(409, "no-client", detail)
    _bound(limits.reads, principal, services)
    return principal


Me = Annotated[Principal, Depends(_worker)]


class OwnQuery(BaseModel):
    """How many events at most, and where to go on."""

    model_config = {"extra": "forbid"}

    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: str = Field(default="", max_length=100, description="`next` of a page.")


class PermissionsQuery(BaseModel):
    """`known` is the `version` that is known; `wait` how many seconds to wait for another."""

    model_config = {"extra": "forbid"}

    known: str = Field(default="", pattern=r"^$|^[0-9a-f]{16}$", examples=["9f86d081884c7d65"])
    wait: float = Field(default=0, ge=0, le=MAX_WAIT, allow_inf_nan=False)


@router.get("")
def my_data(query: Annotated[OwnQuery, Query()], services: ServicesDep, me: Me) -> OwnData:
    """Give what is held of the worker who asks: events, acknowledgements, exceptions; and who may
    see it, and until when it is kept."""
    days = services.retention_days()
    return usecase.own_data(
        services.store, me, services.clock(), days, limit=query.limit, cursor=query.cursor
    )


@router.get(
    "/permissions",
    response_model=Permissions,
    responses={304: {"description": "Nothing else than what is known, for as long as was waited."}},
)
async def my_permissions(
    request: Request,
    query: Annotated[PermissionsQuery, Query()],
    services: ServicesDep,
    limits: LimitsDep,
    me: Me,
    *,
    if_none_match: Annotated[str, Header(max_length=100)] = "",
) -> Response:
    """Give what lets the worker pass: acknowledgements and exceptions in force."""
    known = query.known or if_none_match.strip('"')
    streams: Streams = request.app.state.streams
    found = await _present(services, me)
    with _waiting(limits) as may_wait:
        deadline = time.monotonic() + (query.wait if may_wait else 0)
        while found.version == known and not streams.closing.is_set():
            rest = deadline - time.monotonic()
            if rest <= 0:
                break
            await asyncio.sleep(min(rest, LOOK_SECONDS))
            found = await _present(services, me)
    headers = {"etag": f'"{found.version}"', "cache-control": "no-store"}
    if found.version == known:
        return Response(status_code=304, headers=headers)
    body = found.model_dump_json()
    return Response(body, media_type="application/json", headers=headers)


@router.post("/acknowledgements", status_code=201)
def my_acknowledgement(
    body: AcknowledgementInput, services: ServicesDep, limits: LimitsDep, me: Me
) -> OwnAcknowledgement:
    """Go on after a warning: every node lets the worker pass within two seconds."""
    _bound(limits.acts, me, services)
    judge = _judge(services)
    try:
        return usecase.acknowledge(services.store, judge, me, body, services.clock())
    except usecase.NothingToAcknowledge as error:
        slug = "blocked" if error.blocked else "not-warned"
        raise ApiProblem(409, slug, str(error)) from None
    except usecase.AnotherSubject as error:
        raise ApiProblem(409, "another-subject", str(error)) from None


@router.post("/contests", status_code=201)
def my_contest(body: ContestInput, services: ServicesDep, limits: LimitsDep, me: Me) -> Contest:
    """Contest a decision: analysts find the worker's words among their findings."""
    _bound(limits.contests, me, services)
    try:
        return usecase.contest(services.store, me, body, services.clock())
    except usecase.NotYours as error:
        raise ApiProblem(404, "not-found", str(error)) from None
    except TooManyNotes as error:
        raise ApiProblem(409, "too-many-notes", str(error)) from None


def _bound(limit: RateLimit, me: Principal, services: Services) -> None:
    if wait := limit.check(me.client, services.clock()):
        raise too_many(wait)


def _judge(services: Services) -> Judge:
    if services.policies is None:
        raise ApiProblem(404, "no-policy", "this API was started without a policy")
    return services.policies.judge


async def _present(services: Services, me: Principal) -> Permissions:
    return await run_in_threadpool(usecase.permissions, services.store, me, services.clock())


@contextmanager
def _waiting(limits: OwnLimits) -> Iterator[bool]:
    """Whether one more may wait."""
    if limits.waiting >= MAX_WAITING:
        yield False
        return
    limits.waiting += 1
    try:
        yield True
    finally:
        limits.waiting -= 1
