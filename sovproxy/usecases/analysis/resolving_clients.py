"""Who is this client? One person asks and says why, another approves, the node that knows answers.

The answer is shown to these two only, for a day, and then erased. The audit tells everything but
the answer. What nobody approves within a week lapses.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sovproxy.errors import SovproxyError
from sovproxy.events.event import CLIENT_PATTERN
from sovproxy.events.text import clean_text
from sovproxy.store import resolutions as rows
from sovproxy.store.tables import ResolutionRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry, record_act
from sovproxy.usecases.access.tokens import COMMAND_LINE, Principal, Role, maker_of
from sovproxy.usecases.analysis.findings import same_name
from sovproxy.usecases.analysis.searching import printable

if TYPE_CHECKING:
    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow

WAITS: Final = timedelta(days=7)
SHOWN: Final = timedelta(hours=24)
MAX_WAITING: Final = 20
MAX_FOUND: Final = 200
MAX_PAGE: Final = 100
APPROVERS: Final = frozenset({Role.ADMIN, Role.AUDITOR})
REQUESTERS: Final = frozenset({Role.ANALYST, Role.ADMIN})


class NoSuchResolution(SovproxyError):
    """There is no such question that the caller may see."""


class SamePerson(SovproxyError):
    """Who asked cannot approve or refuse; it takes two people."""


class NotWaiting(SovproxyError):
    """The question waits for nobody any more: it was decided, or has lapsed."""


class TooManyResolutions(SovproxyError):
    """The caller has as many questions waiting as one person may have."""


class ResolutionState(StrEnum):
    """How far a question is. `answered` becomes `erased` when the answer is not shown any more."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"
    ANSWERED = "answered"
    ERASED = "erased"


class ResolutionInput(BaseModel):
    """A question: the pseudonym, why it has to be known, and the case that it belongs to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client: Annotated[str, Field(min_length=1, pattern=CLIENT_PATTERN)] = Field(
        examples=["2026-11.aaaabbbbccccdddd"]
    )
    reason: Annotated[str, Field(min_length=10, max_length=1000), AfterValidator(printable)] = (
        Field(examples=["Malware was downloaded; the machine has to be found"])
    )
    reference: Annotated[str, Field(max_length=100), AfterValidator(printable)] = Field(
        default="", examples=["INC-2026-118"]
    )


class Decision(BaseModel):
    """What may be said with an approval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: Annotated[str, Field(max_length=500), AfterValidator(printable)] = Field(
        default="", examples=["Agreed with the data protection officer"]
    )


class Refusal(BaseModel):
    """What has to be said with a refusal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: Annotated[str, Field(min_length=3, max_length=500), AfterValidator(printable)] = Field(
        examples=["No case is open for this"]
    )


class Resolution(BaseModel):
    """A question. `found` is the answer: only for the two people, and only until `until`.

    `until` is when it lapses while it waits for a person or a node.
    """

    id: str = Field(examples=["7f3c09d1a2b4e6f8"])
    client: str = Field(examples=["2026-11.aaaabbbbccccdddd"])
    reason: str
    reference: str = ""
    state: ResolutionState
    requester: str = Field(examples=["Ada"])
    created: datetime
    until: datetime
    decider: str = Field(default="", examples=["Grace"])
    decided: datetime | None = None
    message: str = ""
    node: str = Field(default="", examples=["proxy-1"])
    answered: datetime | None = None
    unknown_to: list[str] = Field(default=[], description="Nodes that do not know this client.")
    found: str | None = Field(default=None, examples=["10.12.4.7"])
    may_decide: bool = Field(default=False, description="Whether the caller may approve or refuse.")


class ResolutionPage(BaseModel):
    """Questions, newest first, and the cursor of the next page, or null."""

    items: list[Resolution]
    next: int | None


class Approved(BaseModel):
    """What a node is asked: who is this client?"""

    id: str = Field(examples=["7f3c09d1a2b4e6f8"])
    client: str = Field(examples=["2026-11.aaaabbbbccccdddd"])


def request(
    store: Store, principal: Principal, wanted: ResolutionInput, now: datetime
) -> Resolution:
    """Ask who a client is. Raises TooManyResolutions, StoreUnavailable."""
    lapse(store, now)
    row = ResolutionRow(
        id=secrets.token_hex(8),
        **wanted.model_dump(),
        state=ResolutionState.WAITING,
        requester=principal.token_id,
        requester_name=principal.name,
        created=microseconds(now),
        until=microseconds(now + WAITS),
    )
    details = {"id": row.id} | wanted.model_dump()
    entry = act_entry(principal, Act.RESOLUTION_REQUEST, details, now=now)
    if not rows.insert_resolution(store, row, MAX_WAITING, entry):
        raise TooManyResolutions(f"you have {MAX_WAITING} questions waiting, which is the most")
    return _resolution(row, principal)


def decide(
    store: Store,
    principal: Principal,
    resolution_id: str,
    message: str,
    now: datetime,
    *,
    approve: bool,
) -> Resolution:
    """Approve or refuse somebody else's question.

    Raises NoSuchResolution, SamePerson, NotWaiting, StoreUnavailable.
    """
    lapse(store, now)
    row = _get(store, principal, resolution_id)
    if _is_requester(row, principal) or is_of_one_maker(store, row.requester, principal.token_id):
        raise SamePerson(
            "you have asked this yourself, or by a token that one of you made; another person has"
            " to decide"
        )
    state = ResolutionState.APPROVED if approve else ResolutionState.REFUSED
    values = {
        "state": state,
        "decider": principal.token_id,
        "decider_name": principal.name,
        "decided": microseconds(now),
        "message": message,
        "until": microseconds(now + WAITS),
    }
    what = Act.RESOLUTION_APPROVE if approve else Act.RESOLUTION_REFUSE
    details = {"id": row.id, "client": row.client, "message": message}
    entry = act_entry(principal, what, details, now=now)
    if not rows.change_resolution(store, row.id, ResolutionState.WAITING, values, entry):
        raise NotWaiting(f"this question is {row.state} and waits for nobody any more")
    return _resolution(_get(store, principal, row.id), principal)


def approved(store: Store, now: datetime) -> list[Approved]:
    """What nodes are to be asked. Raises StoreUnavailable."""
    lapse(store, now)
    found = rows.list_resolutions(store, MAX_PAGE, states=[ResolutionState.APPROVED])
    return [Approved(id=row.id, client=row.client) for row in found]


def answer(
    store: Store,
    resolution_id: str,
    found: str,
    node: str,
    now: datetime,
    *,
    by: Principal | None = None,
) -> bool:
    """Take a node's answer; an empty one says that this node does not know.

    `node` is what it calls itself, `by` the token that vouches for that in the audit. False if the
    question does not wait for an answer (any more): nothing is kept then. Raises StoreUnavailable.
    """
    lapse(store, now)
    row = rows.get_resolution(store, resolution_id)
    if row is None or row.state != ResolutionState.APPROVED:
        return False
    name = clean_text(node, 64)
    values: dict[str, object] = {
        "state": ResolutionState.ANSWERED,
        "found": clean_text(found, MAX_FOUND),
        "node": name,
        "answered": microseconds(now),
        "until": microseconds(now + SHOWN),
    }
    if not found:
        unknown = dict.fromkeys([*filter(None, row.unknown_to.split(",")), name.replace(",", " ")])
        values = {"unknown_to": ",".join(unknown)[:1000]}
        if len(unknown) == len([*filter(None, row.unknown_to.split(","))]):
            return True
    details = {"id": row.id, "client": row.client, "known": bool(found), "node": name}
    who = by or Principal("", name, Role.NODE)
    entry = act_entry(who, Act.RESOLUTION_ANSWER, details, rows=int(bool(found)), now=now)
    return rows.change_resolution(store, row.id, ResolutionState.APPROVED, values, entry)


def list_resolutions(
    store: Store, principal: Principal, now: datetime, limit: int = 50, before: int | None = None
) -> ResolutionPage:
    """The questions that somebody may see: analysts their own, others all; without answers.

    Raises StoreUnavailable.
    """
    lapse(store, now)
    people = () if principal.role in APPROVERS else (principal.token_id,)
    found = rows.list_resolutions(store, limit + 1, people=people, before=before)
    items = [_resolution(row, principal) for row in found[:limit]]
    return ResolutionPage(
        items=items, next=found[limit - 1].created if len(found) > limit else None
    )


def open_resolution(
    store: Store, principal: Principal, resolution_id: str, now: datetime
) -> Resolution:
    """One question, with the answer for the two people; that look is an entry in the audit.

    Raises NoSuchResolution, StoreUnavailable.
    """
    lapse(store, now)
    row = _get(store, principal, resolution_id)
    shown = _resolution(row, principal)
    if row.state == ResolutionState.ANSWERED and _is_one_of_two(row, principal):
        details = {"id": row.id, "client": row.client}
        record_act(store, principal, Act.RESOLUTION_SHOWN, details, rows=1, now=now)
        shown.found = row.found
    return shown


def count_waiting(store: Store, principal: Principal) -> int:
    """How many questions somebody may decide. Raises StoreUnavailable."""
    if principal.role not in APPROVERS:
        return 0
    waiting = rows.list_resolutions(store, MAX_PAGE, states=[ResolutionState.WAITING])
    return sum(not _is_requester(row, principal) for row in waiting)


def lapse(store: Store, now: datetime) -> None:
    """Let go what has waited too long, and erase answers whose time is over.

    Raises StoreUnavailable.
    """
    at = microseconds(now)

    def entry_of(row: ResolutionRow) -> AuditRow:
        itself, details = Principal("", "sovproxy", Role.ADMIN), {"id": row.id}
        return act_entry(itself, Act.RESOLUTION_LAPSE, details, now=now)

    for state in (ResolutionState.WAITING, ResolutionState.APPROVED):
        rows.end_resolutions(store, state, {"state": ResolutionState.LAPSED}, at, entry_of)
    erased = {"state": ResolutionState.ERASED, "found": ""}
    rows.end_resolutions(store, ResolutionState.ANSWERED, erased, at)


def _get(store: Store, principal: Principal, resolution_id: str) -> ResolutionRow:
    row = rows.get_resolution(store, resolution_id)
    if row and (principal.role in APPROVERS or _is_one_of_two(row, principal)):
        return row
    raise NoSuchResolution("there is no question with this id that you may see")


def _is_requester(row: ResolutionRow, principal: Principal) -> bool:
    """By id, and by name: two tokens of one person are one person."""
    same_id = row.requester == principal.token_id
    return same_id or same_name(row.requester_name, principal.name)


def is_of_one_maker(store: Store, first: str, second: str) -> bool:
    """Whether one account answers for both: it is one of them, or made the tokens that they are.

    Tokens of the command line say nothing: whoever may use that has the machine. Raises
    StoreUnavailable.
    """
    maker = maker_of(store, first)
    return maker == maker_of(store, second) and maker != COMMAND_LINE


def _is_one_of_two(row: ResolutionRow, principal: Principal) -> bool:
    return principal.token_id in {row.requester, row.decider}


def _resolution(row: ResolutionRow, principal: Principal) -> Resolution:
    times = {
        name: from_microseconds(value)
        for name in ("created", "until", "decided", "answered")
        if (value := getattr(row, name)) is not None
    }
    waiting = row.state == ResolutionState.WAITING and principal.role in APPROVERS
    return Resolution(
        id=row.id,
        client=row.client,
        reason=row.reason,
        reference=row.reference,
        state=ResolutionState(row.state),
        requester=row.requester_name,
        decider=row.decider_name,
        message=row.message,
        node=row.node,
        unknown_to=[name for name in row.unknown_to.split(",") if name],
        may_decide=waiting and not _is_requester(row, principal),
        **times,
    )
