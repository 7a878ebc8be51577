"""What nodes and the API say to each other. Everything is bounded; unknown fields are refused.

The node reads what the API sends by the same models: an answer that does not fit is refused whole,
and the last good state stays in force.
"""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Annotated, Final, Literal
from uuid import UUID  # noqa: TC003  # the models read their annotations

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from sovproxy.atlas.entries import MAX_BYTES, MAX_FILES, PATH_PATTERN, Entries, digest_of
from sovproxy.decide.exceptions import Grant, Scope
from sovproxy.events.event import CLIENT_PATTERN, RecordId, UtcTime
from sovproxy.events.pseudonym import KEY_BYTES, MONTH
from sovproxy.events.text import clean_text
from sovproxy.fleet.counters import MAX_COUNT, Count, Counters  # pydantic reads annotations

MAX_EXCEPTIONS: Final = 20_000
MAX_ACKNOWLEDGEMENTS: Final = 5000
"""Acknowledgements in one answer; the rest comes with the next, asked for at once."""

MAX_MONTHS: Final = 160
MAX_RESOLUTIONS: Final = 1000
MAX_POLICY: Final = 256 * 1024
MAX_POSTED: Final = 200
"""Acknowledgements that a node posts at once."""

MAX_REQUESTS: Final = 50
"""Requests for exceptions that a node reads of one client, the newest."""

MAX_TIME: Final = 4e9
"""Unix seconds: in the year 2096."""

VERSION_PATTERN: Final = r"^[0-9a-f]{16}\.[0-9]{1,18}$"

Model = ConfigDict(frozen=True, extra="forbid")


def _cleaned(limit: int) -> BeforeValidator:
    return BeforeValidator(
        lambda value: clean_text(value, limit) if isinstance(value, str) else value
    )


Word = Annotated[str, _cleaned(100), StringConstraints(max_length=100)]
Told = Annotated[str, _cleaned(1000), StringConstraints(max_length=1000)]
Client = Annotated[str, StringConstraints(pattern=CLIENT_PATTERN, min_length=1)]
Subject = Annotated[str, _cleaned(300), StringConstraints(min_length=1, max_length=300)]
Seconds = Annotated[float, Field(ge=0, le=MAX_TIME, allow_inf_nan=False)]
Number = Count


def _key(text: str) -> str:
    """A pseudonym key in base64. Raises ValueError."""
    if len(base64.b64decode(text, validate=True)) != KEY_BYTES:
        raise ValueError(f"a key of {KEY_BYTES} bytes in base64 is wanted")
    return text


Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
Month = Annotated[str, StringConstraints(pattern=rf"^{MONTH}$")]
Key = Annotated[str, StringConstraints(max_length=64), AfterValidator(_key)]


class AppliedPolicy(BaseModel):
    """A policy that an admin applied: its number in the history, its text and the text's digest."""

    model_config = Model

    number: Annotated[int, Field(ge=1, le=MAX_COUNT)]
    text: Annotated[str, StringConstraints(max_length=MAX_POLICY)]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]


class InForce(BaseModel):
    """An exception, as `sovproxy.decide.exceptions.Grant` has it."""

    model_config = Model

    id: Word
    number: Number
    start: Seconds
    until: Seconds
    service: Word = ""
    host: Annotated[str, StringConstraints(max_length=253)] = ""
    below: bool = False
    scope: Scope
    client: Annotated[str, StringConstraints(pattern=CLIENT_PATTERN)] = ""
    group: Word = ""

    def grant(self) -> Grant:
        """The grant that the core knows."""
        return Grant(**dict(self))

    @classmethod
    def of(cls, grant: Grant) -> InForce:
        """The same, ready to be sent."""
        return cls(**{item.name: getattr(grant, item.name) for item in fields(grant)})


class Acknowledged(BaseModel):
    """A client went on after a warning: it passes `subject` until then (Unix seconds)."""

    model_config = Model

    client: Client
    subject: Subject
    until: Seconds


class Wanted(BaseModel):
    """A pseudonym that two people want resolved; the node that knows the client says who it is."""

    model_config = Model

    id: Word
    client: Client


class Common(BaseModel):
    """What holds for all, apart from acknowledgements.

    `catalogue` is the version of the administration's own entries, which are asked for by
    themselves: empty if there are none, null if a node is to keep what it has. `worker_keys` sign
    the tokens of workers; `api_url` is where people reach the API, if it says.
    """

    model_config = Model

    policy: AppliedPolicy | None = None
    exceptions: Annotated[list[InForce], Field(max_length=MAX_EXCEPTIONS)] = []
    pseudonym_keys: Annotated[dict[Month, Key], Field(max_length=MAX_MONTHS)] = {}
    resolutions: Annotated[list[Wanted], Field(max_length=MAX_RESOLUTIONS)] = []
    worker_keys: Annotated[dict[Month, Key], Field(max_length=MAX_MONTHS)] = {}
    api_url: Annotated[str, StringConstraints(max_length=300, pattern=r"^$|^https?://")] = ""
    catalogue: Digest | None = None


class OwnCatalogue(BaseModel):
    """The administration's own entries: the files of their folder by path, and their version."""

    model_config = Model

    digest: Digest
    files: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=PATH_PATTERN)],
            Annotated[str, StringConstraints(max_length=MAX_BYTES)],
        ],
        Field(max_length=MAX_FILES),
    ]

    def entries(self) -> Entries:
        """The same as files, named by what they are. Raises ValueError if the version is wrong."""
        found = Entries(digest_of(self.files), self.files)
        if found.digest != self.digest:
            raise ValueError(f"the files are not those of the version {self.digest}")
        return found


class State(BaseModel):
    """What is in force, or what was added to it.

    `common` is null when it is as in the state that the node knows. `since` is the number of the
    last acknowledgement that the node has; those after it are listed, at most 5000, and `version`
    ends with the number of the last one listed. With `since` 0 the list replaces what was known.
    """

    model_config = Model

    version: Annotated[str, StringConstraints(pattern=VERSION_PATTERN)] = Field(
        examples=["9f86d081884c7d65.41"]
    )
    common: Common | None
    since: Number
    acknowledgements: Annotated[list[Acknowledged], Field(max_length=MAX_ACKNOWLEDGEMENTS)] = []


class NewAcknowledgement(BaseModel):
    """What a node posts when a worker went on. `time` is when; `until` Unix seconds."""

    model_config = Model

    id: RecordId
    client: Client
    subject: Subject
    until: Seconds
    time: UtcTime


class NewAcknowledgements(BaseModel):
    """At most 200 acknowledgements, each stored once by its id."""

    model_config = Model

    acknowledgements: Annotated[
        list[NewAcknowledgement], Field(min_length=1, max_length=MAX_POSTED)
    ]


class Resolved(BaseModel):
    """Whom a pseudonym stands for: an address or an account's name; empty if `node` knows not."""

    model_config = Model

    found: Annotated[str, _cleaned(200), StringConstraints(max_length=200)]
    node: Word


class OwnRequest(BaseModel):
    """A request for an exception, as far as its worker is told of it on a prompt.

    `number` is 0 as long as the API has given none. `wanted` is until when it was asked for,
    `until` until when it was granted; `decided` is when its state changed last. Whatever else the
    API says is left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    number: Number = 0
    state: Word
    asked: UtcTime
    wanted: UtcTime
    until: UtcTime | None = None
    decided: UtcTime | None = None
    service: Word = ""
    host: Annotated[str, StringConstraints(max_length=253)] = ""
    message: Annotated[str, _cleaned(500), StringConstraints(max_length=500)] = ""


class OwnRequests(BaseModel):
    """The newest requests of one client, newest first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: Annotated[list[OwnRequest], Field(max_length=MAX_REQUESTS)]


class PolicyReport(BaseModel):
    """The policy in force at a node. `problem` says why another one was refused there, or is empty.

    `number` and `digest` are those of the applied policy that it follows; 0 and empty when it
    follows a file of its own.
    """

    model_config = Model

    id: Word
    version: Word
    number: Number = 0
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,64}$")] = ""
    problem: Told = ""


class CatalogueReport(BaseModel):
    """The administration's own entries in use at a node: their version, empty if there are none.

    `own` tells that they lie in a folder of that machine, and are not what the API told. `problem`
    says why others were refused there, or is empty.
    """

    model_config = Model

    digest: Digest = ""
    own: bool = False
    problem: Told = ""


class DataReport(BaseModel):
    """A database in use at a node: the day it was true (ISO, or empty), and if that is too old."""

    model_config = Model

    name: Word
    as_of: Word
    stale: bool


class SpoolReport(BaseModel):
    """What waits to be delivered; `oldest` is when the first of it happened, or null.

    Over 16 MiB `records` is an estimate.
    """

    model_config = Model

    records: Number
    bytes: Number
    oldest: UtcTime | None = None


class Heartbeat(BaseModel):
    """What a node says of itself every ten seconds. `memory` is its resident memory in bytes."""

    model_config = Model

    node: Annotated[str, _cleaned(64), StringConstraints(min_length=1, max_length=64)] = Field(
        examples=["proxy-paris-1"]
    )
    version: Word = Field(examples=["0.1.0"])
    mode: Word = Field(examples=["regular"])
    started: UtcTime
    policy: PolicyReport
    catalogue: CatalogueReport = CatalogueReport()
    inspection: Literal["none", "prompt", "full"]
    state: Annotated[str, StringConstraints(pattern=rf"^$|{VERSION_PATTERN}")] = ""
    data: Annotated[list[DataReport], Field(max_length=16)] = []
    spool: SpoolReport
    waiting: Number = 0
    counters: Counters
    memory: Number = 0
