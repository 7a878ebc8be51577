"""What a worker may know and do about themselves: what is held, what lets them pass, a word against
a decision. Whatever is given belongs to the pseudonyms in the worker's own token."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Self
from uuid import UUID  # noqa: TC003  # the models read their annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sovproxy.decide.normalise import read_destination
from sovproxy.decide.words import Action, Standing
from sovproxy.errors import SovproxyError
from sovproxy.events.event import EventKind, Outcome, RecordId, Transport, UtcTime, new_id
from sovproxy.events.from_verdict import Carried, event_of
from sovproxy.events.text import clean_text
from sovproxy.prompt.goon import MAX_DETAIL, REASONS
from sovproxy.store import exceptions as exception_rows
from sovproxy.store import fleet as fleet_rows
from sovproxy.store.deliveries import insert_records
from sovproxy.store.queries import get_event
from sovproxy.store.tables import AcknowledgementRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.tokens import MAY_SEE_EVENTS, Role
from sovproxy.usecases.analysis import findings
from sovproxy.usecases.analysis.searching import FilterInput, search_page
from sovproxy.usecases.worker.exception_models import Host, State  # noqa: TC001  # as above
from sovproxy.usecases.worker.exceptions import facts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.decide.destination import Destination, Unreadable
    from sovproxy.decide.verdict import Verdict
    from sovproxy.events.event import Event
    from sovproxy.store.database import Store
    from sovproxy.store.tables import ExceptionRow
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.policy.judging import Judge

MAX_SHOWN: Final = 100
"""Acknowledgements, and exceptions, that are shown to a worker: the latest."""

MAX_IN_FORCE: Final = 1000
"""Permissions of one worker that are told to the extension, of each kind."""

MAX_PAGE: Final = 100
MAX_WORDS: Final = 1000
CONTESTED: Final = "contested"
"""The tag of a finding that a worker's words have made or reached."""

NODE: Final = "extension"
"""What stands in an event in place of the node: the worker went on in the browser."""

_SECOND: Final = 1_000_000


class NothingToAcknowledge(SovproxyError):
    """What a worker wants to go on to is not warned of (any more)."""

    def __init__(self, verdict: Verdict, host: str) -> None:
        self.blocked = verdict.action is Action.BLOCK
        said = "is blocked" if self.blocked else "needs no acknowledgement"
        super().__init__(f"{host} {said} (rule {verdict.rule}); only a warning can be acknowledged")


class AnotherSubject(SovproxyError):
    """The policy here takes the host for another service than the worker saw."""


class NotYours(SovproxyError):
    """There is no such event of this worker."""


class Contest(BaseModel):
    """The finding that analysts have of a worker's words, and how far it is."""

    number: int = Field(examples=[7])
    state: findings.FindingState


class OwnEvent(BaseModel):
    """One event that is held of a worker; `kept_until` is when it is deleted at the latest."""

    id: UUID
    time: datetime
    kept_until: datetime
    kind: EventKind
    host: str = Field(examples=["zoom.us"])
    address: str = Field(examples=[""])
    service: str = Field(examples=["zoom"])
    action: Action
    rule: str = Field(examples=["video-abroad"])
    reason: str
    standing: Standing
    outcome: Outcome
    node: str = Field(examples=["proxy-1"])
    contest: Contest | None = Field(description="Where the worker's word against it stands.")


class OwnAcknowledgement(BaseModel):
    """A warning that the worker has gone on from, and until when it is not shown again."""

    subject: str = Field(examples=["slack"])
    until: datetime


class OwnException(BaseModel):
    """What the worker asked for, and the answer to it."""

    id: UUID
    number: int = Field(examples=[12])
    state: State
    service: str = Field(examples=["zoom"])
    host: str = Field(examples=[""])
    reason: str
    asked: datetime
    wanted: datetime
    until: datetime | None
    message: str = Field(examples=["Until this evening"])


class SeenBy(BaseModel):
    """Which roles may see the worker's data, by pseudonym only; every look is in the audit."""

    events: list[Role]
    exceptions: list[Role]
    contests: list[Role]


class OwnData(BaseModel):
    """All that is held of a worker; events are paged, newest first, by the cursor `next`."""

    client: str = Field(examples=["2026-11.aaaabbbbccccdddd"])
    former: list[str]
    group: str = Field(examples=["legal"])
    retention_days: int = Field(examples=[183])
    seen_by: SeenBy
    events: list[OwnEvent]
    next: str | None
    acknowledgements: list[OwnAcknowledgement]
    exceptions: list[OwnException]


class Lift(BaseModel):
    """Something that lets the worker pass until then (Unix seconds).

    An acknowledgement has a `subject`; an exception a number, and a `service` or a `host`.
    """

    number: int = 0
    subject: str = ""
    service: str = ""
    host: str = ""
    below: bool = False
    until: float


class Permissions(BaseModel):
    """What lets the worker pass at present. `version` changes whenever any of it does."""

    version: str = Field(examples=["9f86d081884c7d65"])
    client: str
    group: str
    acknowledgements: list[Lift]
    exceptions: list[Lift]


class AcknowledgementInput(BaseModel):
    """A warning that the worker goes on from: at which host, what it was for, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RecordId = Field(
        default_factory=new_id, description="A UUIDv7 of yours: telling twice tells once."
    )
    subject: str = Field(
        min_length=1, max_length=300, examples=["slack"], description="Service id, or the host."
    )
    host: Host = Field(min_length=1, examples=["app.slack.com"])
    reason: str = Field(examples=["partner"], json_schema_extra={"enum": list(REASONS)})
    detail: Annotated[
        str, BeforeValidator(lambda text: clean_text(str(text).strip(), MAX_DETAIL))
    ] = ""
    time: UtcTime | None = Field(default=None, description="When it was, if not just now.")

    @model_validator(mode="after")
    def _known_reason(self) -> Self:
        if self.reason not in REASONS:
            raise ValueError(f"reason: one of {', '.join(REASONS)} is wanted")
        return self


class ContestInput(BaseModel):
    """A word against a decision: an event of the worker's, or a host; and why it is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: UUID | None = None
    host: Host = Field(default="", examples=["partner.example"])
    text: Annotated[
        str,
        BeforeValidator(lambda text: clean_text(str(text).strip(), MAX_WORDS)),
        Field(min_length=3, max_length=MAX_WORDS),
    ] = Field(examples=["This is our own server at OVH"])

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.event is None) == (not self.host):
            raise ValueError("name either an `event` or a `host`, and not both")
        return self


def own_data(
    store: Store, me: Principal, now: datetime, days: int, *, limit: int, cursor: str = ""
) -> OwnData:
    """What is held of a worker. Raises InvalidCursor, StoreUnavailable."""
    page = search_page(store, FilterInput(client=list(me.clients)), limit, cursor)
    at = microseconds(now)
    gone_on = fleet_rows.acknowledgements_of(store, me.clients, at, MAX_SHOWN)
    wanted = exception_rows.Wanted(now=at, clients=me.clients)
    return OwnData(
        client=me.client,
        former=list(me.former),
        group=me.group,
        retention_days=days,
        seen_by=SeenBy(
            events=sorted(MAY_SEE_EVENTS),
            exceptions=[Role.ADMIN, Role.ANALYST, Role.AUDITOR],
            contests=[Role.ADMIN, Role.ANALYST],
        ),
        events=_own_events(store, page.items, days),
        next=page.next,
        acknowledgements=[
            OwnAcknowledgement(subject=row.subject, until=from_microseconds(row.until))
            for row in gone_on
        ],
        exceptions=[
            own_exception(row, now)
            for row in exception_rows.list_requests(store, wanted, MAX_SHOWN)
        ],
    )


def _own_events(store: Store, events: Sequence[Event], days: int) -> list[OwnEvent]:
    things = [(findings.FindingKind.EVENT.value, str(event.id), "") for event in events]
    marked = findings.findings_of(store, things)
    contested = [marked.get(thing) for thing in things]
    return [_own_event(*pair, days) for pair in zip(events, contested, strict=True)]


def _own_event(event: Event, found: findings.FindingRecord | None, days: int) -> OwnEvent:
    """What a worker sees of an event: of findings, only that their own word stands in one."""
    said = found is not None and CONTESTED in found.tags
    return OwnEvent(
        **event.model_dump(include=set(OwnEvent.model_fields) - {"kept_until", "contest"}),
        kept_until=event.time + timedelta(days=days),
        contest=Contest(number=found.id, state=found.state) if found and said else None,
    )


def own_exception(row: ExceptionRow, now: datetime) -> OwnException:
    """What its worker sees of a request."""
    fields = facts_of(row, now).model_dump(include=set(OwnException.model_fields))
    return OwnException(**fields)


def permissions(store: Store, me: Principal, now: datetime) -> Permissions:
    """What lets a worker pass at `now`. Raises StoreUnavailable."""
    at = microseconds(now)
    gone_on = [
        Lift(subject=row.subject, until=row.until / _SECOND)
        for row in fleet_rows.acknowledgements_of(store, me.clients, at, MAX_IN_FORCE)
    ]
    granted = [
        _lift(row)
        for row in exception_rows.list_in_force_for(store, me.clients, me.group, at, MAX_IN_FORCE)
    ]
    told = [me.client, me.group, *(item.model_dump_json() for item in (*gone_on, *granted))]
    version = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    return Permissions(
        version=version,
        client=me.client,
        group=me.group,
        acknowledgements=gone_on,
        exceptions=granted,
    )


def _lift(row: ExceptionRow) -> Lift:
    return Lift(
        number=row.number or 0,
        service=row.service,
        host=row.host,
        below=row.below,
        until=(row.until or 0) / _SECOND,
    )


def acknowledge(
    store: Store, judge: Judge, me: Principal, wanted: AcknowledgementInput, now: datetime
) -> OwnAcknowledgement:
    """Let a worker pass a warning, here and (within two seconds) at every node.

    What is warned of is judged here, whatever the extension took it for. The same id counts once.
    Raises NothingToAcknowledge, AnotherSubject, StoreUnavailable.
    """
    destination = read_destination(wanted.host)
    verdict = judge.judge(destination, me.group, me.clients)
    if verdict.action is not Action.WARN:
        raise NothingToAcknowledge(verdict, wanted.host)
    subject = verdict.service.id if verdict.service else destination.label
    if subject != wanted.subject:
        raise AnotherSubject(f"{wanted.host} stands for {subject} here, not for another subject")
    at = min(wanted.time or now, now)
    until = at + timedelta(seconds=judge.policy.acknowledgement_seconds)
    row = AcknowledgementRow(
        id=wanted.id,
        client=me.client,
        subject=subject,
        until=microseconds(until),
        time=microseconds(at),
        token=me.token_id,
    )
    if until > now:
        fleet_rows.insert_acknowledgements(store, [row])
    insert_records(store, [_acknowledged(verdict, destination, me, wanted, at)], ())
    return OwnAcknowledgement(subject=subject, until=until)


def _acknowledged(
    verdict: Verdict,
    destination: Destination | Unreadable,
    me: Principal,
    wanted: AcknowledgementInput,
    at: datetime,
) -> Event:
    carried = Carried(
        time=at,
        node=NODE,
        client=me.client,
        group=me.group,
        outcome=Outcome.TUNNELLED,
        transport=Transport.HTTPS,
        kind=EventKind.ACKNOWLEDGEMENT,
    )
    event = event_of(verdict, destination, carried)
    said = f"{wanted.reason}: {wanted.detail}" if wanted.detail else wanted.reason
    more = {"id": wanted.id, "reason": f"The worker went on: {said}"}
    return event.model_validate({**event.model_dump(), **more})


def contest(store: Store, me: Principal, wanted: ContestInput, now: datetime) -> Contest:
    """Put a worker's words against a decision before the analysts, as a finding.

    One that was dismissed is new again. Raises NotYours, TooManyNotes, StoreUnavailable.
    """
    kind, value = findings.FindingKind.HOST, wanted.host
    if wanted.event:
        event = get_event(store, wanted.event)
        if event is None or not event.client or event.client not in me.clients:
            raise NotYours("there is no such event of yours")
        kind, value = findings.FindingKind.EVENT, str(wanted.event)
    thing = findings.FindingInput(kind=kind, value=value, note=wanted.text, tags=[CONTESTED])
    found, is_new = findings.mark(store, me, thing, now)
    if not is_new:
        found = findings.change_finding(store, me, found.id, _again(found, wanted.text), now)
    return Contest(number=found.id, state=found.state)


def _again(found: findings.FindingRecord, text: str) -> findings.FindingChange:
    """What a worker's words change in a finding that is there."""
    dismissed = found.state is findings.FindingState.DISMISSED
    state = findings.FindingState.NEW if dismissed else None
    has_room = len(found.tags) < findings.MAX_TAGS
    tags = sorted({*found.tags, CONTESTED}) if has_room else None
    return findings.FindingChange(state=state, tags=tags, note=text)
