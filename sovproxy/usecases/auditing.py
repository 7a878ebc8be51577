"""What people do leaves an entry: every look at events about persons, and every change."""

from __future__ import annotations

import time
from datetime import datetime  # noqa: TC003  # the models read them
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from sovproxy.store import audit
from sovproxy.store.tables import AuditRow
from sovproxy.store.times import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.store.database import Store
    from sovproxy.usecases.searching import FilterInput
    from sovproxy.usecases.tokens import Principal

MAX_ENTRIES: Final = 500


class Act(StrEnum):
    """What was looked at or done. A stream leaves one entry when it opens and one when it ends.

    Each area adds its own acts here, looks first.
    """

    SEARCH = "events"
    EVENT = "event"
    STREAM = "stream"
    STREAM_END = "stream_end"
    EXPORT = "export"
    FACETS = "facets"
    HISTOGRAM = "histogram"
    OVERVIEW = "overview"
    COUNTS = "counts"
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"


class AuditEntry(BaseModel):
    """One entry. `details` say what was asked for or done; `rows` how many events were shown."""

    seq: int = Field(examples=[812])
    time: datetime
    token: str = Field(examples=["0f3a9c5d7e1b2846"])
    name: str = Field(examples=["Ada"])
    role: str = Field(examples=["analyst"])
    what: Act
    details: dict[str, Any] = Field(
        examples=[{"service": ["zoom"], "since": "2026-11-23T00:00:00Z"}]
    )
    rows: int = Field(examples=[50])


class AuditPage(BaseModel):
    """Entries, newest first, and the cursor of the next page, or null at the end."""

    items: list[AuditEntry]
    next: int | None


def record_act(
    store: Store,
    principal: Principal,
    what: Act,
    details: dict[str, Any],
    *,
    rows: int = 0,
    now: datetime | None = None,
) -> None:
    """Add an entry; only then may be shown or done what it tells of. Raises StoreUnavailable."""
    row = AuditRow(
        time=microseconds(now) if now else time.time_ns() // 1000,
        token=principal.token_id,
        name=principal.name,
        role=principal.role,
        what=what,
        details=to_json(details).decode(),
        rows=rows,
    )
    audit.append_entry(store, row)


def record_if_personal(
    store: Store, principal: Principal, what: Act, query: FilterInput, now: datetime
) -> None:
    """Add an entry for counts, if the filter names clients: then they are about persons.

    Raises StoreUnavailable.
    """
    if query.client:
        record_act(store, principal, what, given(query), now=now)


def given(query: FilterInput) -> dict[str, Any]:
    """What a query gives, without what it leaves as it is."""
    return query.model_dump(mode="json", exclude_defaults=True)


def audit_page(
    store: Store,
    limit: int,
    before: int | None = None,
    whats: Sequence[Act] = (),
    tokens: Sequence[str] = (),
) -> AuditPage:
    """Give one page of the audit. Raises StoreUnavailable."""
    rows = audit.list_entries(store, limit + 1, before, whats, tokens)
    entries = [_entry(row) for row in rows[:limit]]
    return AuditPage(items=entries, next=entries[-1].seq if len(rows) > limit else None)


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        **row.model_dump(include={"seq", "token", "name", "role", "what", "rows"}),
        time=from_microseconds(row.time),
        details=from_json(row.details),
    )
