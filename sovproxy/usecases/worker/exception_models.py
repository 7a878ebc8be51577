"""What people and nodes say about exceptions, what they are told, and what can go wrong."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # the models read their annotations
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Self
from uuid import UUID  # noqa: TC003  # the models read their annotations

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sovproxy.decide.destination import Destination
from sovproxy.decide.exceptions import Scope
from sovproxy.decide.normalise import read_destination
from sovproxy.decide.words import Action  # noqa: TC001  # the models read their annotations
from sovproxy.errors import SovproxyError
from sovproxy.events.event import CLIENT_PATTERN, RecordId, UtcTime, new_id
from sovproxy.events.text import clean_text
from sovproxy.usecases.analysis.searching import MAX_VALUES, Optional, Order

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TEXT: Final = 500
"""Characters of a reason or a message that are kept."""

MAX_PAGE: Final = 200
_ID = r"^([a-z0-9]+(-[a-z0-9]+)*)?$"


class State(StrEnum):
    """Where a request stands. `expired` is what waits or is granted once its time is over."""

    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


class MeetingRole(StrEnum):
    """What the worker is in the meeting that the exception is for, if it is for one."""

    HOST = "host"
    GUEST = "guest"
    NONE = "none"


class UnknownException(SovproxyError):
    """There is no such request."""

    def __init__(self, key: UUID | int) -> None:
        super().__init__(f"there is no exception {key}")


class ExceptionConflict(SovproxyError):
    """The request is not in a state from which this step leads on. `stale`: If-Match told so."""

    def __init__(self, message: str, *, stale: bool = False) -> None:
        self.stale = stale
        super().__init__(message)


class NotForYou(SovproxyError):
    """This caller may not do that with this request."""


class CannotBeExcepted(SovproxyError):
    """What is asked for or granted is not possible: a time, a scope, a missing client."""


class TooManyRequests(SovproxyError):
    """A limit on asking is reached; `seconds` tells when to try again."""

    def __init__(self, message: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"{message}; try again in {seconds} s")


def _cleaned(limit: int) -> Callable[[object], object]:
    def clean(value: object) -> object:
        return clean_text(value.strip(), limit) if isinstance(value, str) else value

    return clean


def _canonical(text: str) -> str:
    if not text:
        return ""
    read = read_destination(text)
    if not isinstance(read, Destination):
        raise ValueError(f"this is no host: it {read.problem}")  # noqa: TRY004  # pydantic's way
    if "*" in read.label:
        raise ValueError("a host without `*` is wanted; `below` stands for all names below it")
    return read.label


Text = Annotated[str, BeforeValidator(_cleaned(MAX_TEXT)), Field(max_length=MAX_TEXT)]
Reason = Annotated[Text, Field(min_length=3)]
Host = Annotated[str, Field(max_length=2048), AfterValidator(_canonical)]
Client = Annotated[str, Field(pattern=CLIENT_PATTERN)]
ServiceId = Annotated[str, Field(max_length=100, pattern=_ID)]


class ExceptionInput(BaseModel):
    """What is asked for: a service, or a host (with all below it, if wanted), until when and why.

    A node names the client and its group, as it knows them, and the rule that stopped it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "service": "zoom",
                    "reason": "Hearing with the Commission, they invite",
                    "role": "guest",
                    "until": "2026-11-23T18:00:00Z",
                    "client": "2026-11.aaaabbbbccccdddd",
                    "group": "legal",
                    "language": "fr",
                    "node": "proxy-1",
                    "rule": "video-abroad",
                    "action": "block",
                }
            ]
        },
    )

    id: RecordId = Field(
        default_factory=new_id, description="A UUIDv7 of yours: asking twice asks once."
    )
    service: ServiceId = Field(default="", description="Service id. Either this or `host`.")
    host: Host = Field(default="", description="Host, URL or address. Either this or `service`.")
    below: bool = Field(default=False, description="With a host: all names below it as well.")
    reason: Reason = Field(description="Why, in the worker's words (3 to 500 characters).")
    role: MeetingRole = MeetingRole.NONE
    until: UtcTime = Field(description="Wanted until this instant (with zone).")
    client: Client = Field(default="", description="Pseudonym.")
    group: Optional = Field(default="", description="Group id of the client, as its node says.")
    language: Annotated[str, Field(pattern=r"^([a-z]{2,3})?$")] = Field(
        default="", description="Language of the worker (ISO 639)."
    )
    node: Optional = Field(default="", description="The node that asks.")
    rule: Optional = Field(default="", description="The rule that stopped the client.")
    action: Action | None = Field(default=None, description="What that rule did.")

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if bool(self.service) == bool(self.host):
            raise ValueError("name either a `service` or a `host`, and not both")
        if self.below and "." not in self.host:
            raise ValueError("`below` needs a `host` with a dot in it: not a whole top level")
        return self


class GrantInput(BaseModel):
    """How a request is granted: until when (as asked, if not given), for whom, with which words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    until: UtcTime | None = Field(default=None, examples=["2026-11-23T18:00:00Z"])
    scope: Scope = Scope.CLIENT
    message: Text = Field(default="", description="To the worker.", examples=["Until this evening"])


class ExceptionFacts(BaseModel):
    """A request and the answer to it. Times are UTC. `asked_by` and `decided_by` are public ids."""

    id: UUID
    number: int = Field(examples=[12], description="What people call it by.")
    state: State
    asked: datetime
    asked_by: str = Field(examples=["0f3a9c5d7e1b2846"])
    node: str = Field(examples=["proxy-1"])
    client: str = Field(examples=["2026-11.aaaabbbbccccdddd"])
    group: str = Field(examples=["legal"])
    service: str = Field(examples=["zoom"])
    host: str = Field(examples=[""])
    below: bool
    role: MeetingRole
    reason: str = Field(examples=["Hearing with the Commission, they invite"])
    wanted: datetime = Field(description="Until when it was asked for.")
    language: str = Field(examples=["fr"])
    rule: str = Field(examples=["video-abroad"])
    action: str = Field(examples=["block"])
    decided: datetime | None
    decided_by: str = Field(examples=["5c1e9a7b3d2f4680"])
    decided_name: str = Field(examples=["Ada"])
    start: datetime | None
    until: datetime | None = Field(description="Until when it was granted.")
    scope: str = Field(examples=["client"])
    message: str = Field(examples=["Until this evening"])
    forgotten: bool = Field(description="Client and texts were taken out (retention).")


class StepFacts(BaseModel):
    """One step: who took it, when, from which state to which, and what was said."""

    time: datetime
    by: str = Field(examples=["5c1e9a7b3d2f4680"])
    name: str = Field(examples=["Ada"])
    role: str = Field(examples=["admin"])
    before: str = Field(examples=["waiting"])
    after: State
    message: str


class ExceptionDetail(ExceptionFacts):
    """A request with its history, oldest step first."""

    history: list[StepFacts]
    etag: str = Field(exclude=True)


class ExceptionPage(BaseModel):
    """Requests, and the cursor of the next page, or null at the end."""

    items: list[ExceptionFacts]
    next: int | None = Field(examples=[11])


class ExceptionQuery(BaseModel):
    """Which requests, in which order, from a cursor on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: list[State] = Field(default=[], max_length=len(State))
    service: list[Optional] = Field(
        default=[], max_length=MAX_VALUES, description="Service id; empty for hosts."
    )
    group: list[Optional] = Field(
        default=[], max_length=MAX_VALUES, description="Group id; empty for none."
    )
    order: Order = Order.NEWEST
    limit: int = Field(default=50, ge=1, le=MAX_PAGE)
    cursor: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="`next` of the page before."
    )
