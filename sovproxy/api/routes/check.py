"""Where does a destination stand: the same answer as the proxy's and the command line's."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # FastAPI reads annotations
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.events.event import CLIENT_PATTERN
from sovproxy.usecases.access.tokens import Role

router = APIRouter(prefix="/api/v1", tags=["check"], dependencies=[allow(*Role)])

MAX_CHECKS = 100
_EXAMPLE = {
    "query": "zoom.us",
    "host": "zoom.us",
    "service": {"id": "zoom", "name": "Zoom", "category": "videoconference"},
    "control": ["US"],
    "standing": "abroad",
    "verdict": {"action": "block", "rule": "video-abroad", "reason": "…", "alternative": None},
    "exception": None,
    "evidence": [],
}

Destination = Annotated[str, Field(min_length=1, max_length=2048)]
Address = Annotated[str, Field(max_length=64, description="The address its name resolves to.")]
Group = Annotated[str, Field(max_length=100, description="The group of the client.")]

Client = Annotated[
    str,
    Field(pattern=CLIENT_PATTERN, description="Pseudonym of the client: its exceptions count."),
]


class CheckQuery(BaseModel):
    """One destination: a host, a URL or an address."""

    model_config = ConfigDict(extra="forbid")

    q: Destination
    ip: Address = ""
    group: Group = ""
    client: Client = ""


class CheckInput(BaseModel):
    """Some destinations, for clients of one group."""

    model_config = ConfigDict(extra="forbid")

    queries: Annotated[list[Destination], Field(min_length=1, max_length=MAX_CHECKS)]
    ip: Address = ""
    group: Group = ""
    client: Client = ""


class CheckAnswers(BaseModel):
    """One answer per destination, in the order of the question."""

    items: list[Mapping[str, object]] = Field(examples=[[_EXAMPLE]])


@router.get("/check", responses={200: {"content": {"application/json": {"example": _EXAMPLE}}}})
def check_one(
    query: Annotated[CheckQuery, Query()], services: ServicesDep, response: Response
) -> Mapping[str, object]:
    """Judge one destination. Nothing is resolved and nothing is recorded."""
    if query.client:  # the answer tells which exception this person has
        response.headers["cache-control"] = "no-store"
    return services.judge.check(query.q, query.ip, query.group, query.client)


@router.post("/check")
def check_many(body: CheckInput, services: ServicesDep) -> CheckAnswers:
    """Judge up to 100 destinations. Nothing is resolved and nothing is recorded."""
    judge = services.judge
    asked = body.ip, body.group, body.client
    return CheckAnswers(items=[judge.check(query, *asked) for query in body.queries])
