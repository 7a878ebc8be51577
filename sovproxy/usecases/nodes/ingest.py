"""Taking in what nodes deliver: good records are stored, bad ones are named, none is lost.

A batch is taken in part. Were it refused whole, one bad record would hold up everything behind it
in its node's spool for ever; so the answer names each record it refused, the node keeps those on
its disk, and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from sovproxy.errors import SovproxyError
from sovproxy.events.event import Event, Rollup  # noqa: TC001  # the models read them
from sovproxy.events.text import clean_text
from sovproxy.store.deliveries import insert_records
from sovproxy.store.fleet import names_of_others
from sovproxy.store.times import microseconds
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic_core import ErrorDetails

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal

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


class NameOfAnother(SovproxyError):
    """A batch has records in the name of another node; nothing of it was stored."""


def foreign_names(store: Store, token: Principal, names: set[str], now: datetime) -> str:
    """Those of the names that belong to the tokens of other nodes, as one text; or nothing.

    Raises StoreUnavailable.
    """
    asked = sorted(names - {token.name})
    found = names_of_others(store, token.token_id, asked, microseconds(now)) if asked else []
    return clean_text(", ".join(found), MAX_PROBLEM)


@dataclass(frozen=True, slots=True)
class Sender:
    """The token that delivers, and when."""

    token: Principal
    now: datetime

    def require_own_names(self, store: Store, batch: IngestBatch) -> None:
        """A node writes in its own name: the one its token bears, or one that nobody else has.

        The batch is not taken, instead of its records refused: after a mistake with tokens nothing
        is lost, it waits in the spool. Raises NameOfAnother, StoreUnavailable.
        """
        names = {event.node for event in batch.events} | {one.node for one in batch.rollups}
        shown = foreign_names(store, self.token, names, self.now)
        if shown:
            raise NameOfAnother(
                f"records in the name of {shown}, which belongs to the token of another node; "
                "revoke the token that is not in use any more, or give this node a name of its own"
            )


def ingest(store: Store, body: bytes, sender: Sender | None = None) -> IngestAnswer:
    """Store the good records of a batch durably. `sender` is None for who may write in any name.

    Raises InvalidBatch, NameOfAnother, StoreUnavailable.
    """
    try:
        batch, refused = IngestBatch.model_validate_json(body), list[Refused]()
    except ValidationError as error:
        batch, refused = _without_bad_records(body, error)
    if sender:
        sender.require_own_names(store, batch)
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
