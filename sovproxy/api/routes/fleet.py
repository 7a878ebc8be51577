"""The fleet: what is in force, told to nodes as it changes; what nodes tell; the list of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from sovproxy.api.access import allow, principal_or_none
from sovproxy.api.feed import RETRY_SECONDS, Feed
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.fleet.messages import (  # FastAPI reads annotations
    VERSION_PATTERN,
    Heartbeat,
    NewAcknowledgements,
    OwnCatalogue,
    Resolved,
    State,
)
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.resolving_clients import answer
from sovproxy.usecases.nodes.fleet import (
    Fleet,
    NodeList,
    NoSuchNode,
    TooManyNodes,
    forget_node,
    is_of_the_machine,
    list_nodes,
    note_heartbeat,
    take_acknowledgements,
    without_keys,
)
from sovproxy.usecases.nodes.ingest import foreign_names

if TYPE_CHECKING:
    from sovproxy.api.streams import Streams

router = APIRouter(prefix="/api/v1", tags=["fleet"])

MAX_WAIT: Final = 25
MAX_ID: Final = 2**63 - 1
STATE: Final = "/fleet/state"

BODY_BYTES = {"/api/v1/fleet/acknowledgements": 256 * 1024}

Node = Annotated[Principal, allow(Role.NODE)]
Admin = Annotated[Principal, allow(Role.ADMIN)]
Known = Annotated[str, Header(alias="If-None-Match", max_length=100)]


class StateQuery(BaseModel):
    """`known` is the `version` that the node has; `wait` how many seconds it waits for another."""

    model_config = {"extra": "forbid"}

    known: str = Field(
        default="", pattern=rf"^$|{VERSION_PATTERN}", examples=["9f86d081884c7d65.41"]
    )
    wait: float = Field(default=0, ge=0, le=MAX_WAIT, allow_inf_nan=False)


class Taken(BaseModel):
    """How many of the acknowledgements were new."""

    accepted: int = Field(examples=[1])


@router.get(
    STATE,
    response_model=State,
    responses={304: {"description": "Nothing else than what is known, for as long as was waited."}},
)
async def state(
    request: Request,
    query: Annotated[StateQuery, Query()],
    principal: Node,
    services: ServicesDep,
    if_none_match: Known = "",
) -> Response:
    """Tell what is in force at all nodes, as soon as it differs from what this node knows.

    It holds secrets (pseudonym keys) beside names that others chose, so it is never compressed.
    A token that was made in the console or by the API gets no keys: with them, one person could
    tell whom any pseudonym stands for. Those of the command line do.
    """
    known = query.known or if_none_match.strip('"')
    streams: Streams = request.app.state.streams
    told = await feed_of(request).wait(principal, known, query.wait, streams.closing)
    if query.wait and not await run_in_threadpool(_still_allowed, request, services, principal):
        raise ApiProblem(401, "unauthorized", "the token is unknown, expired or revoked")
    headers = {"etag": f'"{told[0] if told else known}"', "cache-control": "no-store"}
    if told is None:
        return Response(status_code=304, headers=headers)
    may_have_keys = await run_in_threadpool(is_of_the_machine, services.store, principal)
    body = told[1] if may_have_keys else without_keys(told[1])
    return Response(body, media_type="application/json", headers=headers)


@router.get("/fleet/catalogue")
async def catalogue(request: Request, principal: Node) -> OwnCatalogue:
    """Tell the administration's own entries of the catalogue, for nodes that lack this version."""
    del principal
    entries = await feed_of(request).use(lambda fleet: fleet.own_catalogue())
    if entries is None:
        detail = "the entries cannot be read now; the API's log says why"
        raise ApiProblem(503, "unavailable", detail, {"retry-after": str(RETRY_SECONDS)})
    return OwnCatalogue(digest=entries.digest, files=dict(entries.files))


@router.post("/fleet/heartbeat", status_code=204, response_class=Response)
def heartbeat(report: Heartbeat, services: ServicesDep, principal: Node) -> None:
    """Take what a node says of itself; without one for 60 seconds it counts as silent."""
    try:
        note_heartbeat(services.store, principal, report, services.clock())
    except TooManyNodes as error:
        raise ApiProblem(409, "too-many-nodes", str(error)) from error


@router.post("/fleet/acknowledgements")
def acknowledgements(given: NewAcknowledgements, services: ServicesDep, principal: Node) -> Taken:
    """Take what workers acknowledged at a node, to be told to all others; each id once."""
    accepted = take_acknowledgements(
        services.store, principal, given.acknowledgements, services.clock()
    )
    return Taken(accepted=accepted)


@router.post("/fleet/resolutions/{resolution_id}", status_code=204, response_class=Response)
def resolution(
    resolution_id: Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f-]+$")],
    told: Resolved,
    services: ServicesDep,
    principal: Node,
) -> None:
    """Take a node's answer to the question whom a pseudonym stands for; two people asked it."""
    now = services.clock()
    if others := foreign_names(services.store, principal, {told.node}, now):
        raise ApiProblem(409, "name-of-another-node", f"{others} is the name of another node")
    if not answer(services.store, resolution_id, told.found, told.node, now, by=principal):
        raise ApiProblem(410, "not-waiting", "this question waits for no answer (any more)")


@router.get(
    "/nodes",
    response_model=NodeList,
    dependencies=[allow(Role.ADMIN, Role.ANALYST, Role.AUDITOR)],
    responses={304: {"description": "It is as you have read it."}},
)
async def nodes(request: Request, if_none_match: Known = "") -> Response:
    """List the nodes, by name."""
    found = await feed_of(request).use(list_nodes)
    body = found.model_dump_json().encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-store"}
    if if_none_match == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.delete("/nodes/{node_id}", status_code=204, response_class=Response)
def forget(
    node_id: Annotated[int, Path(ge=1, le=MAX_ID)], services: ServicesDep, principal: Admin
) -> None:
    """Forget a node that is retired. One that still lives comes back with its next heartbeat."""
    try:
        forget_node(services.store, principal, node_id, services.clock())
    except NoSuchNode as error:
        raise ApiProblem(404, "no-such-node", str(error)) from error


def feed_of(request: Request) -> Feed:
    """The feed of the app that got this request, made at first use."""
    app_state = request.app.state
    if not hasattr(app_state, "feed"):
        services: Services = app_state.services
        app_state.feed = Feed(fleet_of(services))
    feed: Feed = app_state.feed
    return feed


def fleet_of(services: Services) -> Fleet:
    """The fleet of some services; not to be used from two threads at once."""
    return Fleet(
        services.store,
        services.clock,
        services.pseudonyms,
        services.workers,
        services.public_url,
        services.own_entries,
    )


def _still_allowed(request: Request, services: Services, principal: Principal) -> bool:
    """Whether the token is still in force, after the wait."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    shown = HTTPAuthorizationCredentials(scheme=scheme, credentials=token)
    return principal_or_none(request, services, shown) == principal
