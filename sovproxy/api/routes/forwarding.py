"""Forwarding to other receivers: how each is doing, and a message to try it with."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # FastAPI reads annotations
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.receivers import Body  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.upkeep.forwarding import NoSuchReceiver, NotDelivered, ReceiverState

if TYPE_CHECKING:
    from sovproxy.receivers import FileReceiver, SyslogReceiver

router = APIRouter(prefix="/api/v1", tags=["forwarding"])

Admin = Annotated[Principal, allow(Role.ADMIN)]
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["siem"])]


class ReceiverAnswer(BaseModel):
    """A receiver and how it is doing. `position` and `newest` are numbers of arrivals."""

    name: str = Field(examples=["siem"])
    kind: Literal["syslog", "file"]
    where: str = Field(examples=["/var/log/sovproxy/events.jsonl"])
    body: Body
    connected: bool
    problem: str = Field(description="Empty, or what is wrong now.", examples=[""])
    position: int | None = Field(
        description="It surely has everything up to here; null before it began.", examples=[1042]
    )
    newest: int = Field(description="The newest arrival that is known of.", examples=[1042])
    behind: int = Field(description="How many arrivals it lacks, at most.", examples=[0])
    sent: int = Field(description="Events sent since the API began.", examples=[1042])
    failures: int = Field(description="Failed attempts since the API began.", examples=[0])
    last_sent: datetime | None


class ReceiverList(BaseModel):
    """All receivers, in the order of the settings."""

    items: list[ReceiverAnswer]


class TrialAnswer(BaseModel):
    """The test message has arrived, as far as the receiver's system confirms it."""

    sent: Literal[True] = True


@router.get(
    "/forwarding",
    summary="List the receivers",
    dependencies=[allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)],
)
def receivers(services: ServicesDep) -> ReceiverList:
    """List the receivers of the settings: what they have, what they lack, what is wrong."""
    return ReceiverList(items=[_answer(*item) for item in services.forwarding.states()])


@router.post("/forwarding/{name}/test", summary="Send a test message")
def send_test(name: Name, services: ServicesDep, principal: Admin) -> TrialAnswer:
    """Send a message that says that it is a test, over a connection of its own.

    502 tells why it did not arrive.
    """
    try:
        forwarder = services.forwarding.find(name)
        details = {"receiver": name}
        record_act(services.store, principal, Act.FORWARD_TEST, details, now=services.clock())
        forwarder.send_test()
    except NoSuchReceiver as error:
        raise ApiProblem(404, "no-such-receiver", str(error)) from error
    except NotDelivered as error:
        raise ApiProblem(502, "receiver-unreachable", str(error)) from error
    return TrialAnswer()


def _answer(receiver: SyslogReceiver | FileReceiver, state: ReceiverState) -> ReceiverAnswer:
    return ReceiverAnswer(
        name=receiver.name,
        kind=receiver.kind,
        where=receiver.where,
        body=receiver.body,
        connected=state.connected,
        problem=state.problem,
        position=state.position,
        newest=state.newest,
        behind=state.behind,
        sent=state.sent,
        failures=state.failures,
        last_sent=state.last_sent,
    )
