"""Findings: what analysts mark, annotate and work through; and hosts that no entry covers."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime  # noqa: TC003  # the models read them
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.errors import SovproxyError
from sovproxy.events.event import MAX_ASN
from sovproxy.store import findings as rows
from sovproxy.store.tables import FindingRow, NoteRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases import versions
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.analysis.searching import (
    MAX_VALUES,
    Value,
    one_spelling,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow
    from sovproxy.usecases.access.tokens import Principal

MAX_NOTES: Final = 500
MAX_NOTE: Final = 2000
MAX_TAGS: Final = 10
MAX_PAGE: Final = 200
_TAG: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"


class NoSuchFinding(SovproxyError):
    """There is no finding of this id."""


class TooManyNotes(SovproxyError):
    """A finding has as many notes as one may have."""


class FindingKind(StrEnum):
    """What was marked; but for events and pairs, the field of events that holds its value."""

    EVENT = "event"
    HOST = "host"
    SERVICE = "service"
    ASN = "asn"
    OPERATOR = "operator"
    PAIR = "pair"


class FindingState(StrEnum):
    """How far the work on a finding is."""

    NEW = "new"
    IN_REVIEW = "in_review"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    RAISED = "raised"


class NoteKind(StrEnum):
    """What a line in a finding's history tells: an annotation, or what was changed."""

    NOTE = "note"
    STATE = "state"
    ASSIGNEE = "assignee"
    TAGS = "tags"


def lines(text: str) -> str:
    """A text of some lines. Raises ValueError for anything else that is invisible."""
    plain = text.replace("\r\n", "\n")
    for line in plain.split("\n"):
        printable(line)
    return plain


def saying_lines(text: str) -> str:
    """A text of some lines that says something. Raises ValueError."""
    if not text.strip():
        raise ValueError("more than spaces is wanted")
    return lines(text)


NoteText = Annotated[str, Field(min_length=1, max_length=MAX_NOTE), AfterValidator(saying_lines)]
Assignee = Annotated[str, Field(max_length=64), AfterValidator(printable)]
Tag = Annotated[str, Field(pattern=_TAG)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS)]
Thing = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(printable)]
Group = Annotated[str, Field(max_length=100), AfterValidator(printable)]


class FindingInput(BaseModel):
    """What is to be marked. `group` belongs to a pair only: the group that uses the service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FindingKind
    value: Thing = Field(examples=["zoom"])
    group: Group = Field(default="", examples=["finance"])
    note: Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(lines)] = Field(
        default="", examples=["Still in use after the move to Visio"]
    )
    tags: Tags = Field(default=[], examples=[["visio-move"]])

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is FindingKind.EVENT:
            UUID(self.value)
        if self.kind is FindingKind.ASN and not (
            re.fullmatch("[0-9]{1,10}", self.value, re.ASCII) and 0 < int(self.value) <= MAX_ASN
        ):
            raise ValueError("the number of a network is wanted")
        if (self.kind is FindingKind.PAIR) != bool(self.group):
            raise ValueError("`group` is wanted for a pair, and only for a pair")
        return self

    @property
    def thing(self) -> rows.Thing:
        """The thing that is marked."""
        is_event = self.kind is FindingKind.EVENT
        value = str(UUID(self.value)) if is_event else one_spelling(self.kind, self.value)
        return self.kind.value, value, self.group


class FindingChange(BaseModel):
    """What is to change of a finding; what is not given stays. `note` is added to its history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: FindingState | None = None
    assignee: Assignee | None = Field(default=None, description="Who works on it; empty: nobody.")
    tags: Tags | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE), AfterValidator(lines)] = ""


class NoteInput(BaseModel):
    """An annotation. It cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: NoteText = Field(examples=["Asked the group's correspondent; answer by Friday"])


class FindingFilter(BaseModel):
    """Which findings. Within one field any value fits, but every tag has to be there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: list[FindingState] = Field(default=[], max_length=len(FindingState))
    kind: list[FindingKind] = Field(default=[], max_length=len(FindingKind))
    assignee: list[Assignee] = Field(default=[], max_length=MAX_VALUES)
    tags: Tags = []
    value: list[Thing] = Field(default=[], max_length=MAX_VALUES)
    group: list[Value] = Field(default=[], max_length=MAX_VALUES)

    def columns(self) -> dict[str, Sequence[str]]:
        """What is wanted, by the store's columns."""
        return {name: getattr(self, name) for name in FindingFilter.model_fields}


class Note(BaseModel):
    """One line of a finding's history."""

    time: datetime
    author: str = Field(examples=["Ada"])
    kind: NoteKind
    text: str = Field(examples=["Asked the group's correspondent; answer by Friday"])


class FindingRecord(BaseModel):
    """A finding. `history` is there when one finding was asked for, oldest line first."""

    id: int = Field(examples=[12])
    kind: FindingKind
    value: str = Field(examples=["zoom"])
    group: str = ""
    state: FindingState
    assignee: str = ""
    tags: list[str] = []
    author: str = Field(examples=["Ada"])
    created: datetime
    changed: datetime
    history: list[Note] = []

    @property
    def etag(self) -> str:
        """What changes with every change of it."""
        return versions.etag(self.id, self.changed)


class FindingPage(BaseModel):
    """Findings, the last marked first; the cursor of the next page, or null; counts by state."""

    items: list[FindingRecord]
    next: int | None
    states: dict[FindingState, int]


def mark(
    store: Store, principal: Principal, wanted: FindingInput, now: datetime
) -> tuple[FindingRecord, bool]:
    """Mark a thing; give its finding, and whether it is new. What is marked already stays as it is.

    Raises StoreUnavailable.
    """
    kind, value, group = wanted.thing
    at = microseconds(now)
    row = FindingRow(
        kind=kind,
        value=value,
        group=group,
        state=FindingState.NEW,
        tags=_joined(wanted.tags),
        author=principal.token_id,
        author_name=principal.name,
        created=at,
        changed=at,
    )
    notes = [_note(principal, now, NoteKind.NOTE, wanted.note)] if wanted.note else []
    entry = act_entry(principal, Act.FINDING_MARK, wanted.model_dump(mode="json"), now=now)
    stored, new = rows.insert_finding(store, row, notes, entry)
    return _finding(stored, notes if new else ()), new


def get_finding(store: Store, finding_id: int) -> FindingRecord:
    """One finding with its history. Raises NoSuchFinding, StoreUnavailable."""
    found = rows.get_finding(store, finding_id)
    if found is None:
        raise NoSuchFinding("there is no finding with this id")
    return _finding(*found)


def list_findings(
    store: Store, wanted: FindingFilter, limit: int, before: int | None = None
) -> FindingPage:
    """One page of findings. Raises StoreUnavailable."""
    columns = wanted.columns()
    found = rows.list_findings(store, columns, limit + 1, before)
    counted = rows.count_states(store, columns)
    return FindingPage(
        items=[_finding(row) for row in found[:limit]],
        next=found[limit - 1].id if len(found) > limit else None,
        states={state: counted.get(state, 0) for state in FindingState},
    )


def findings_of(store: Store, things: Iterable[rows.Thing]) -> dict[rows.Thing, FindingRecord]:
    """The findings of some things, by thing. Raises StoreUnavailable."""
    found = rows.find_things(store, list(dict.fromkeys(things)))
    return {(row.kind, row.value, row.group): _finding(row) for row in found}


def change_finding(
    store: Store,
    principal: Principal,
    finding_id: int,
    change: FindingChange,
    now: datetime,
    *,
    match: str = "",
) -> FindingRecord:
    """Change a finding; each change is a line in its history. `match` is what If-Match says.

    Raises NoSuchFinding, Changed, TooManyNotes, StoreUnavailable.
    """
    before = get_finding(store, finding_id)
    values, told = _changes(before, change)
    notes = [_note(principal, now, kind, text) for kind, text in told]
    if change.note:
        notes.append(_note(principal, now, NoteKind.NOTE, change.note))
    if notes:  # what stands there already may be said again, of whatever version
        if not versions.matches(match, before.etag):
            raise versions.Changed
        details = {"id": finding_id} | change.model_dump(mode="json", exclude_none=True)
        entry = act_entry(principal, Act.FINDING_CHANGE, details, now=now)
        version = microseconds(before.changed) if versions.names_one(match) else None
        values |= {"changed": microseconds(now)}
        _update(store, finding_id, values, notes, entry, version=version)
    return get_finding(store, finding_id)


def annotate(
    store: Store, principal: Principal, finding_id: int, text: str, now: datetime
) -> FindingRecord:
    """Add an annotation. Raises NoSuchFinding, TooManyNotes, StoreUnavailable."""
    entry = act_entry(principal, Act.FINDING_NOTE, {"id": finding_id, "text": text}, now=now)
    note = _note(principal, now, NoteKind.NOTE, text)
    _update(store, finding_id, {"changed": microseconds(now)}, [note], entry)
    return get_finding(store, finding_id)


def count_new(store: Store) -> int:
    """How many findings nobody has looked at. Raises StoreUnavailable."""
    return rows.count_states(store, {}).get(FindingState.NEW, 0)


def same_name(one: str, other: str) -> bool:
    """Whether two names may be of one person: case, width and spaces aside."""
    folded = [unicodedata.normalize("NFKC", name).casefold().split() for name in (one, other)]
    return folded[0] == folded[1]


def _update(
    store: Store,
    finding_id: int,
    values: dict[str, object],
    notes: Sequence[NoteRow],
    entry: AuditRow,
    *,
    version: int | None = None,
) -> None:
    if rows.count_notes(store, finding_id) + len(notes) > MAX_NOTES:
        raise TooManyNotes(f"a finding has {MAX_NOTES} lines of history at most")
    if not rows.update_finding(store, finding_id, values, notes, entry, unchanged_since=version):
        get_finding(store, finding_id)
        raise versions.Changed


def _changes(
    before: FindingRecord, change: FindingChange
) -> tuple[dict[str, object], list[tuple[NoteKind, str]]]:
    values: dict[str, object] = {}
    told: list[tuple[NoteKind, str]] = []
    if change.state is not None and change.state is not before.state:
        values["state"] = change.state
        told.append((NoteKind.STATE, change.state.value))
    if change.assignee is not None and change.assignee != before.assignee:
        values["assignee"] = change.assignee
        told.append((NoteKind.ASSIGNEE, change.assignee))
    if change.tags is not None and sorted(set(change.tags)) != before.tags:
        values["tags"] = _joined(change.tags)
        told.append((NoteKind.TAGS, ", ".join(sorted(set(change.tags)))))
    return values, told


def _note(principal: Principal, now: datetime, kind: NoteKind, text: str) -> NoteRow:
    return NoteRow(
        finding=0,
        time=microseconds(now),
        author=principal.token_id,
        author_name=principal.name,
        kind=kind,
        text=text,
    )


def _joined(tags: Iterable[str]) -> str:
    found = sorted(set(tags))
    return f",{','.join(found)}," if found else ""


def _finding(row: FindingRow, notes: Sequence[NoteRow] = ()) -> FindingRecord:
    return FindingRecord(
        id=row.id or 0,
        kind=FindingKind(row.kind),
        value=row.value,
        group=row.group,
        state=FindingState(row.state),
        assignee=row.assignee,
        tags=[tag for tag in row.tags.split(",") if tag],
        author=row.author_name,
        created=from_microseconds(row.created),
        changed=from_microseconds(row.changed),
        history=[
            Note(
                time=from_microseconds(note.time),
                author=note.author_name,
                kind=NoteKind(note.kind),
                text=note.text,
            )
            for note in notes
        ],
    )
