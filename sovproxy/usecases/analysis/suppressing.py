"""Suppressions: values that lists leave out for a time, because somebody said why.

They never touch exports, counts of the overview or the audit, and lapse by themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.errors import SovproxyError
from sovproxy.store import findings as rows
from sovproxy.store.tables import SuppressionRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.analysis.searching import (
    MAX_EXCLUDED,
    FilterInput,
    one_spelling,
    printable,
    saying,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal

MAX_SUPPRESSIONS: Final = MAX_EXCLUDED - 20
"""In force at one time: a search leaves out what they name beside what it names itself."""

MAX_DAYS: Final = 366
DEFAULT_DAYS: Final = 30


class NoSuchSuppression(SovproxyError):
    """No suppression of this id is in force."""


class TooManySuppressions(SovproxyError):
    """As many suppressions are in force as may be."""


class SuppressionKind(StrEnum):
    """The field whose value is left out."""

    HOST = "host"
    SERVICE = "service"
    ASN = "asn"
    OPERATOR = "operator"
    GROUP = "group"


class SuppressionInput(BaseModel):
    """What is to be left out, why, and for how many days. A host `.zoom.us` is all hosts below."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: SuppressionKind
    value: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(saying)] = Field(
        examples=["30103"]
    )
    reason: Annotated[str, Field(min_length=3, max_length=500), AfterValidator(printable)] = Field(
        examples=["Our own monitoring"]
    )
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = DEFAULT_DAYS

    @model_validator(mode="after")
    def _can_be_left_out(self) -> Self:
        FilterInput(without=[f"{self.kind}:{self.value}"])
        return self

    @property
    def spelled(self) -> str:
        """The value as events have it."""
        return one_spelling(self.kind, self.value)


class Suppression(BaseModel):
    """A suppression, in force until `expires`, unless it was `lifted` before."""

    id: int = Field(examples=[3])
    kind: SuppressionKind
    value: str = Field(examples=["30103"])
    reason: str = Field(examples=["Our own monitoring"])
    author: str = Field(examples=["Ada"])
    created: datetime
    expires: datetime
    lifted: datetime | None = None
    lifted_by: str = ""

    @property
    def excluded(self) -> str:
        """As a filter leaves it out."""
        return f"{self.kind}:{self.value}"


def suppress(
    store: Store, principal: Principal, wanted: SuppressionInput, now: datetime
) -> Suppression:
    """Leave a value out from now on; what stood for the same value ends.

    Raises TooManySuppressions, StoreUnavailable.
    """
    row = SuppressionRow(
        kind=wanted.kind,
        value=wanted.spelled,
        reason=wanted.reason,
        author=principal.token_id,
        author_name=principal.name,
        created=microseconds(now),
        expires=microseconds(now + timedelta(days=wanted.days)),
    )
    entry = act_entry(principal, Act.SUPPRESS, wanted.model_dump(mode="json"), now=now)
    number = rows.insert_suppression(store, row, MAX_SUPPRESSIONS, entry)
    if number is None:
        message = f"{MAX_SUPPRESSIONS} suppressions are in force, which is the most; lift one first"
        raise TooManySuppressions(message)
    row.id = number
    return _suppression(row)


def suppressions(store: Store, now: datetime, *, ended: bool = False) -> list[Suppression]:
    """Those in force, or those that have ended, newest first. Raises StoreUnavailable."""
    found = rows.list_suppressions(store, microseconds(now), ended=ended)
    return [_suppression(row) for row in found]


def lift(store: Store, principal: Principal, suppression_id: int, now: datetime) -> Suppression:
    """Show a value again. Raises NoSuchSuppression, StoreUnavailable."""
    details = {"id": suppression_id}
    entry = act_entry(principal, Act.SUPPRESSION_LIFT, details, now=now)
    row = rows.lift_suppression(store, suppression_id, principal.name, microseconds(now), entry)
    if row is None:
        raise NoSuchSuppression("no suppression with this id is in force; it may have ended")
    return _suppression(row)


def hiding(wanted: FilterInput, in_force: Iterable[Suppression]) -> list[Suppression]:
    """Those that apply to a search: what it asks for by name is not hidden from it.

    A search for hosts names them in several ways: no host is hidden from it.
    """
    return [item for item in in_force if not _is_named(wanted, item)]


def leaving_out[Given: FilterInput](wanted: Given, hidden: Iterable[Suppression]) -> Given:
    """The search without what is hidden."""
    without = dict.fromkeys((*wanted.without, *(item.excluded for item in hidden)))
    return wanted.model_copy(update={"without": list(without)})


def suppressed_values(in_force: Iterable[Suppression], kind: SuppressionKind) -> frozenset[str]:
    """The values of one field that are left out."""
    return frozenset(item.value for item in in_force if item.kind is kind)


def _is_named(wanted: FilterInput, item: Suppression) -> bool:
    if item.kind is SuppressionKind.HOST:
        return bool(wanted.host or wanted.host_contains)
    named = {str(value) for value in getattr(wanted, item.kind.value)}
    return item.value in named


def _suppression(row: SuppressionRow) -> Suppression:
    return Suppression(
        id=row.id or 0,
        kind=SuppressionKind(row.kind),
        value=one_spelling(row.kind, row.value),
        reason=row.reason,
        author=row.author_name,
        created=from_microseconds(row.created),
        expires=from_microseconds(row.expires),
        lifted=from_microseconds(row.lifted) if row.lifted is not None else None,
        lifted_by=row.lifted_by,
    )
