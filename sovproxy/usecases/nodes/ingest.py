"""Taking in what nodes deliver: good records are stored, bad ones are named, none is lost.

A batch is taken in part. Were it refused whole, one bad record would hold up everything behind it
in its node's spool for ever; so the answer names each record it refused, the node keeps those on
its disk, and goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from sovproxy.errors import SovproxyError
from sovproxy.events.event import Event, Rollup  # noqa: TC001  # the models read them
from sovproxy.events.text import clean_text
from sovproxy.store.records import insert_records
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from sovproxy.store.database import Store

MAX_RECORDS = 5000
MAX_PROBLEM = 300

type ListName = Literal["events", "rollups"]


class InvalidBatch(SovproxyError):
    """The body is no batch at all; nothing of it was stored."""


class IngestBatch(BaseModel):
    """What a node delivers: at most 5000 events and 5000 rollups."""

    model_config = ConfigDict(extra="forbid", strict=True)

    events: Annotated[list[Event], Field(max_length=MAX_RECORDS)] = []
    rollups: Annotated[list[Rollup], Field(max_length=MAX_RECORDS)] = []


class Refused(BaseModel):
    """One record that was not stored: the list it stood in, its index there, and why."""

    list: ListName
    index: int
    problem: str


class IngestAnswer(BaseModel):
    """How many records were new, how many were stored before, and which were refused."""

    accepted: int
    duplicates: int
    refused: list[Refused] = []


def ingest(store: Store, body: bytes) -> IngestAnswer:
    """Store the good records of a batch durably. Raises InvalidBatch, StoreUnavailable."""
    try:
        batch, refused = IngestBatch.model_validate_json(body), list[Refused]()
    except ValidationError as error:
        batch, refused = _without_bad_records(body, error)
    stored = insert_records(store, batch.events, batch.rollups)
    return IngestAnswer(accepted=stored.accepted, duplicates=stored.duplicates, refused=refused)


def _without_bad_records(body: bytes, error: ValidationError) -> tuple[IngestBatch, list[Refused]]:
    refused: dict[tuple[ListName, int], Refused] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        match item["loc"]:
            case ("events" | "rollups" as name, int(index), *_):
                refused.setdefault((name, index), _refused(name, index, item))
            case _:
                raise InvalidBatch(f"the body is no batch: {_problem(item, 0)}") from None
    data = from_json(body)
    good = {
        name: [item for index, item in enumerate(items) if (name, index) not in refused]
        for name, items in data.items()
    }
    return IngestBatch.model_validate_json(to_json(good)), list(refused.values())


def _refused(name: ListName, index: int, item: ErrorDetails) -> Refused:
    return Refused(list=name, index=index, problem=_problem(item, 2))


def _problem(item: ErrorDetails, skip: int) -> str:
    """Say where and why, without repeating what arrived."""
    where = path_text(item["loc"][skip:])
    return clean_text(f"{where}: {item['msg']}" if where else item["msg"], MAX_PROBLEM)
