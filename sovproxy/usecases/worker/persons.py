"""What a person may ask for about themselves through an admin: to have all that is held, or to have
it erased.

A worker is known here by pseudonyms. With them alone nobody is identified, and an admin does it,
with a reason. With an address or an account's name the API finds the pseudonyms, which tells who
somebody is: then a second person has to approve, as for a resolution. The name is not kept.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.errors import SovproxyError
from sovproxy.events.event import Event  # noqa: TC001  # pydantic reads annotations
from sovproxy.store import exceptions as exception_rows
from sovproxy.store import persons as rows
from sovproxy.store.fleet import acknowledgements_of
from sovproxy.store.tables import PersonRequestRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry, record_act
from sovproxy.usecases.access.workers import WORKER
from sovproxy.usecases.analysis.findings import same_name
from sovproxy.usecases.analysis.resolving_clients import (
    NotWaiting,
    SamePerson,
    is_of_one_maker,
)
from sovproxy.usecases.analysis.searching import (
    MAX_VALUES,
    Client,
    FilterInput,
    printable,
    search_all,
)
from sovproxy.usecases.worker.own_data import OwnAcknowledgement, OwnException, own_exception

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.events.pseudonym import Pseudonyms
    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal

WAITS: Final = timedelta(days=7)
USABLE: Final = timedelta(hours=24)
MAX_CLIENTS: Final = MAX_VALUES
MAX_EVENTS: Final = 100_000
MAX_ROWS: Final = 10_000
MAX_PAGE: Final = 100

STAYS: Final = (
    "Entries of the audit that name these pseudonyms stay until they are three years old: they "
    "prove who looked at the person's data. Counts hold no person. What was forwarded, exported or "
    "backed up before is out of reach. Directories at nodes are cleaned there by "
    "`sovproxy persons forget`, or by retention. Words against a decision on a host, and not on an "
    "event, carry nothing that tells whose they are."
)


class NoSuchRequest(SovproxyError):
    """There is no such request, or its time is over."""


class NobodyFound(SovproxyError):
    """Pseudonyms cannot be found from a name: this API holds no keys of the fleet."""


class Kind(StrEnum):
    """What is asked for."""

    ACCESS = "access"
    ERASURE = "erasure"


class RequestState(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"
    DONE = "done"


class PersonInput(BaseModel):
    """Whose data, by pseudonyms or by an address or account name, what for, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    clients: list[Client] = Field(default=[], max_length=MAX_CLIENTS)
    name: Annotated[str, AfterValidator(printable)] = Field(
        default="", max_length=200, description="Address or account name, as the proxy knows it."
    )
    reason: Annotated[str, Field(min_length=10, max_length=1000), AfterValidator(printable)] = (
        Field(examples=["The worker asked for it by letter of 20 November"])
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.clients) == bool(self.name):
            raise ValueError("give either `clients` or a `name`, and not both")
        return self


class PersonRequest(BaseModel):
    """One request. `clients` is empty as long as nobody has approved what was asked by name."""

    id: str = Field(examples=["7f3c09d1a2b4e6f8"])
    kind: Kind
    state: RequestState
    clients: list[str]
    named: bool
    reason: str
    requester: str = Field(examples=["Ada"])
    created: datetime
    until: datetime
    decider: str = Field(default="", examples=["Grace"])
    message: str = ""
    found: dict[str, int] = Field(default={}, examples=[{"events": 12}])
    stays: str = Field(default="", description="What was not erased, and why.")


class PersonRequests(BaseModel):
    """The newest requests."""

    items: list[PersonRequest]


class HeldContest(BaseModel):
    """Words against the decision of an event."""

    time: datetime
    event: str
    text: str


class PersonData(BaseModel):
    """All that is held under some pseudonyms."""

    clients: list[str]
    made: datetime
    events: list[Event]
    acknowledgements: list[OwnAcknowledgement]
    exceptions: list[OwnException]
    contests: list[HeldContest]
    stays: str


def ask(
    store: Store,
    principal: Principal,
    wanted: PersonInput,
    now: datetime,
    pseudonyms: Pseudonyms | None = None,
) -> PersonRequest:
    """Ask for a person's data, or for its erasure. Raises NobodyFound, StoreUnavailable."""
    if wanted.name and pseudonyms is None:
        raise NobodyFound("this API holds no pseudonym keys; give the pseudonyms (`clients`)")
    named = list(pseudonyms.every(wanted.name)) if wanted.name and pseudonyms else []
    row = PersonRequestRow(
        id=secrets.token_hex(8),
        kind=wanted.kind,
        clients=",".join(dict.fromkeys(wanted.clients or named)),
        named=bool(wanted.name),
        reason=wanted.reason,
        state=RequestState.WAITING if wanted.name else RequestState.APPROVED,
        requester=principal.token_id,
        requester_name=principal.name,
        created=microseconds(now),
        until=microseconds(now + (WAITS if wanted.name else USABLE)),
    )
    details = {"id": row.id, "kind": wanted.kind, "reason": wanted.reason, "named": row.named}
    details |= {} if row.named else {"client": wanted.clients}
    rows.insert_request(store, row, act_entry(principal, Act.PERSON_REQUEST, details, now=now))
    return _request(row)


def decide(
    store: Store,
    principal: Principal,
    request_id: str,
    message: str,
    now: datetime,
    *,
    approve: bool,
) -> PersonRequest:
    """Approve or refuse what somebody else asked for by name.

    Raises NoSuchRequest, SamePerson, NotWaiting, StoreUnavailable.
    """
    row = _get(store, request_id, now)
    same = row.requester == principal.token_id or same_name(row.requester_name, principal.name)
    if same or is_of_one_maker(store, row.requester, principal.token_id):
        raise SamePerson("you have asked this yourself; another person has to decide")
    state = RequestState.APPROVED if approve else RequestState.REFUSED
    values: dict[str, Any] = {
        "state": state,
        "decider": principal.token_id,
        "decider_name": principal.name,
        "decided": microseconds(now),
        "message": message,
        "until": microseconds(now + USABLE),
    }
    values |= {} if approve else {"clients": ""}
    what = Act.PERSON_APPROVE if approve else Act.PERSON_REFUSE
    entry = act_entry(principal, what, {"id": row.id, "message": message}, now=now)
    if not rows.change_request(store, row.id, RequestState.WAITING, values, entry):
        raise NotWaiting(f"this request is {row.state} and waits for nobody any more")
    return _request(_get(store, request_id, now))


def list_requests(store: Store, principal: Principal, now: datetime) -> PersonRequests:
    """The newest requests; pseudonyms stand in those that the caller asked for or decided.

    Raises StoreUnavailable.
    """
    _lapse(store, now)
    items = [
        _request(row, involved=principal.token_id in {row.requester, row.decider})
        for row in rows.list_requests(store, MAX_PAGE)
    ]
    return PersonRequests(items=items)


def give(store: Store, principal: Principal, request_id: str, now: datetime) -> PersonData:
    """All that is held of the person, for who asked, for a day; each time is in the audit.

    Raises NoSuchRequest, NotWaiting, StoreUnavailable.
    """
    row = _usable(store, principal, request_id, Kind.ACCESS, now)
    clients = row.clients.split(",")
    found = held(store, clients, now)
    details = {"id": row.id, "client": clients}
    record_act(store, principal, Act.PERSON_ACCESS, details, rows=len(found.events), now=now)
    return found


def held(store: Store, clients: Sequence[str], now: datetime) -> PersonData:
    """All that is held under some pseudonyms. Raises StoreUnavailable."""
    events = list(search_all(store, FilterInput(client=list(clients)), MAX_EVENTS))
    asked = exception_rows.Wanted(now=microseconds(now), clients=tuple(clients))
    contests = rows.contests_of(store, [str(event.id) for event in events], WORKER)
    return PersonData(
        clients=list(clients),
        made=now,
        events=events,
        acknowledgements=[
            OwnAcknowledgement(subject=row.subject, until=from_microseconds(row.until))
            for row in acknowledgements_of(store, clients, 0, MAX_ROWS)
        ],
        exceptions=[
            own_exception(row, now) for row in exception_rows.list_requests(store, asked, MAX_ROWS)
        ],
        contests=[
            HeldContest(time=from_microseconds(one["time"]), event=one["value"], text=one["text"])
            for one in contests
        ],
        stays=STAYS,
    )


def erase(store: Store, principal: Principal, request_id: str, now: datetime) -> PersonRequest:
    """Erase what is held of the person; the request then holds no pseudonym any more.

    Raises NoSuchRequest, NotWaiting, StoreUnavailable.
    """
    row = _usable(store, principal, request_id, Kind.ERASURE, now)
    found = rows.erase(store, row.clients.split(","), microseconds(now))
    entry = act_entry(principal, Act.PERSON_ERASURE, {"id": row.id} | found, now=now)
    values = {
        "state": RequestState.DONE,
        "done": microseconds(now),
        "clients": "",
        "found": json.dumps(found),
    }
    rows.change_request(store, row.id, RequestState.APPROVED, values, entry)
    return _request(_get(store, request_id, now))


def _usable(
    store: Store, principal: Principal, request_id: str, kind: Kind, now: datetime
) -> PersonRequestRow:
    row = _get(store, request_id, now)
    if row.requester != principal.token_id or row.kind != kind:
        raise NoSuchRequest("you have made no such request")
    if row.state != RequestState.APPROVED:
        raise NotWaiting(f"this request is {row.state}; only an approved one can be carried out")
    return row


def _get(store: Store, request_id: str, now: datetime) -> PersonRequestRow:
    _lapse(store, now)
    row = rows.get_request(store, request_id)
    if row is None:
        raise NoSuchRequest("there is no request with this id")
    return row


def _lapse(store: Store, now: datetime) -> None:
    waiting = (RequestState.WAITING, RequestState.APPROVED)
    rows.lapse_requests(store, waiting, RequestState.LAPSED, microseconds(now))


def _request(row: PersonRequestRow, *, involved: bool = True) -> PersonRequest:
    hidden = not involved or (row.named and row.state == RequestState.WAITING)
    return PersonRequest(
        id=row.id,
        kind=Kind(row.kind),
        state=RequestState(row.state),
        clients=[] if hidden or not row.clients else row.clients.split(","),
        named=row.named,
        reason=row.reason,
        requester=row.requester_name,
        created=from_microseconds(row.created),
        until=from_microseconds(row.until),
        decider=row.decider_name,
        message=row.message,
        found=json.loads(row.found) if row.found else {},
        stays=STAYS if row.state == RequestState.DONE else "",
    )
