"""The event: one decision that was carried out, as it is spooled, sent and stored.

It holds host names, never paths, queries, bodies, cookies or user agents, and knows the client only
by pseudonym; unknown fields are refused, so nothing else can creep in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from uuid_utils.compat import uuid7

from sovproxy.decide.words import Action, Standing
from sovproxy.events.text import clean_text

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

UUID_VERSION = 7
MAX_CONTROL = 16
MAX_ASN = 2**32 - 1
MAX_COUNT = 10**9
"""Of one rollup: more than any node passes in a day. Sums of as many as can be stored stay below
2^63."""

CLIENT_PATTERN = r"^([0-9]{4}-[0-9]{2}\.[a-z2-7]{16})?$"
COUNTRY_PATTERN = r"^[A-Z][A-Z0-9]$"


class EventKind(StrEnum):
    """What happened: a decision was carried out, a worker went on, or sovproxy failed."""

    DECISION = "decision"
    ACKNOWLEDGEMENT = "acknowledgement"
    ERROR = "error"


class Outcome(StrEnum):
    """What the client got.

    `tunnelled` is a connection let through undecrypted: after an acknowledgement, or because an
    operator chose to watch it.
    """

    PROMPTED = "prompted"
    PROBLEM_ANSWERED = "problem_answered"
    CONNECT_REFUSED = "connect_refused"
    CLOSED = "closed"
    TUNNELLED = "tunnelled"


class Transport(StrEnum):
    """What the client spoke to the node."""

    HTTPS = "https"
    HTTP = "http"
    TCP = "tcp"


def new_id() -> UUID:
    """Make a UUIDv7: unique, and ordered by the millisecond it was made in."""
    return uuid7()


def _text(limit: int) -> tuple[FieldInfo, BeforeValidator]:
    """A bound, and before it what cleans and cuts; most texts need neither, and are many."""

    def clean(value: object) -> object:
        if isinstance(value, str) and (len(value) > limit or not value.isprintable()):
            return clean_text(value, limit)
        return value

    return Field(max_length=limit), BeforeValidator(clean)


def _version_7(value: UUID) -> UUID:
    if value.version != UUID_VERSION:
        raise ValueError(f"a UUID of version {UUID_VERSION} is wanted, got version {value.version}")
    return value


def _to_utc(value: datetime) -> datetime:
    if not 1970 < value.year < 9999:
        raise ValueError(f"a year from 1971 to 9998 is wanted, got {value.year}")
    # Nearly all are UTC already, and replacing takes a tenth of the time of converting.
    return value.astimezone(UTC) if value.utcoffset() else value.replace(tzinfo=UTC)


RecordId = Annotated[UUID, AfterValidator(_version_7)]
UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
Name = Annotated[str, *_text(100)]
Country = Annotated[str, Field(pattern=COUNTRY_PATTERN)]
Location = Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9])?$")]
Control = Annotated[tuple[Country, ...], Field(max_length=MAX_CONTROL)]
Asn = Annotated[int, Field(ge=0, le=MAX_ASN)]


class Event(BaseModel):
    """One event. Texts are cleaned and cut on the way in; everything else is strict.

    `time` is when the verdict was carried out (UTC). `client` is a pseudonym. `host` and `address`
    may be empty when the client did not name one. `port` and `asn` are 0 when unknown. `rule`,
    `service`, `operator` and `alternative` are ids; `control` and `location` are ISO 3166-1 alpha-2
    codes, or codes of that form which a database uses for what is no country. `decrypted` tells
    whether TLS was terminated by the node to answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: RecordId = Field(default_factory=new_id)
    time: UtcTime
    node: Name
    kind: EventKind
    client: Annotated[str, Field(pattern=CLIENT_PATTERN)] = ""
    group: Name = ""
    host: Annotated[str, *_text(253)] = ""
    address: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{0,45}$")] = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    action: Action
    rule: Name
    reason: Annotated[str, *_text(500)] = ""
    service: Name = ""
    operator: Name = ""
    control: Control = ()
    standing: Standing = Standing.UNKNOWN
    location: Location = ""
    asn: Asn = 0
    alternative: Name = ""
    policy: Name
    policy_version: Name
    outcome: Outcome
    transport: Transport
    decrypted: bool = False

    def to_json(self) -> bytes:
        """Write it as one line of JSON."""
        return self.model_dump_json().encode()


class Rollup(BaseModel):
    """How many uneventful connections of one sort a node passed in one bucket of time.

    `start` is the bucket's beginning (UTC), `seconds` its length. Several rollups of one bucket
    add up. No host name and no client is in it: counting, not logging. `decrypted` connections
    passed with `inspection: full`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: RecordId = Field(default_factory=new_id)
    start: UtcTime
    seconds: Annotated[int, Field(ge=1, le=86400)]
    node: Name
    group: Name = ""
    service: Name = ""
    control: Control = ()
    standing: Standing = Standing.UNKNOWN
    location: Location = ""
    asn: Asn = 0
    action: Action
    rule: Name
    decrypted: bool = False
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)]

    def to_json(self) -> bytes:
        """Write it as one line of JSON."""
        return self.model_dump_json().encode()
