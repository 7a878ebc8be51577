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
    from sovproxy.store.database import Store
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.analysis.searching import FilterInput

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
    CANDIDATES = "candidates"
    CATALOGUE_CHANGE = "catalogue_change"
    EXCEPTIONS = "exceptions"
    EXCEPTION_ASK = "exception_ask"
    EXCEPTION_GRANT = "exception_grant"
    EXCEPTION_REFUSE = "exception_refuse"
    EXCEPTION_REVOKE = "exception_revoke"
    EXCEPTION_WITHDRAW = "exception_withdraw"
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    RESOLUTION_SHOWN = "resolution_shown"
    RESOLUTION_REQUEST = "resolution_request"
    RESOLUTION_APPROVE = "resolution_approve"
    RESOLUTION_REFUSE = "resolution_refuse"
    RESOLUTION_ANSWER = "resolution_answer"
    RESOLUTION_LAPSE = "resolution_lapse"
    VIEW_SAVE = "view_save"
    VIEW_CHANGE = "view_change"
    VIEW_DELETE = "view_delete"
    FINDING_MARK = "finding_mark"
    FINDING_CHANGE = "finding_change"
    FINDING_NOTE = "finding_note"
    FINDING_RAISE = "finding_raise"
    SUPPRESS = "suppress"
    SUPPRESSION_LIFT = "suppression_lift"
    SIGN_IN_FAILED = "sign_in_failed"
    SESSION_END = "session_end"
    ACCOUNT_CREATE = "account_create"
    ACCOUNT_LINK = "account_link"
    ACCOUNT_PASSWORD = "account_password"  # noqa: S105  # a word
    ACCOUNT_SECOND_FACTOR = "account_second_factor"
    ACCOUNT_ROLE = "account_role"
    ACCOUNT_DISABLE = "account_disable"
    ACCOUNT_ENABLE = "account_enable"
    ACCOUNT_DELETE = "account_delete"
    TOKEN_CREATE = "token_create"  # noqa: S105  # a word
    TOKEN_REVOKE = "token_revoke"  # noqa: S105  # a word
    POLICY_APPLY = "policy_apply"
    POLICY_ROLLBACK = "policy_rollback"
    POLICY_TO_SETTINGS = "policy_to_settings"
    POLICY_SIMULATE = "policy_simulate"
    POLICY_DRAFT_SAVE = "policy_draft_save"
    POLICY_DRAFT_DELETE = "policy_draft_delete"
    NODE_FORGET = "node_forget"
    FORWARD_TEST = "forward_test"
    RETENTION_RUN = "retention_run"
    AUDIT_CHECKPOINT = "audit_checkpoint"
    PERSON_REQUEST = "person_request"
    PERSON_APPROVE = "person_approve"
    PERSON_REFUSE = "person_refuse"
    PERSON_ACCESS = "person_access"
    PERSON_ERASURE = "person_erasure"
    ROOM_CREATE = "room_create"


class AuditEntry(BaseModel):
    """One entry. `details` say what was asked for or done; `rows` how many events were shown.

    `hash` is over the entry and the hash of the one before.
    """

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
    hash: str = Field(description="SHA-256, hexadecimal.")


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
    audit.append_entry(store, act_entry(principal, what, details, rows=rows, now=now))


def act_entry(
    principal: Principal,
    what: Act,
    details: dict[str, Any],
    *,
    rows: int = 0,
    now: datetime | None = None,
) -> AuditRow:
    """An entry that is yet to be stored, in the same transaction as what it tells of."""
    return AuditRow(
        time=microseconds(now) if now else time.time_ns() // 1000,
        token=principal.token_id,
        name=principal.name,
        role=principal.role,
        what=what,
        details=to_json(details).decode(),
        rows=rows,
    )


def record_if_personal(
    store: Store, principal: Principal, what: Act, query: FilterInput, *, rows: int, now: datetime
) -> None:
    """Add an entry for counts, if the filter names clients: then they are about persons.

    `rows` is how many numbers were given. Raises StoreUnavailable.
    """
    if query.client:
        record_act(store, principal, what, given(query), rows=rows, now=now)


def given(query: FilterInput) -> dict[str, Any]:
    """What a query gives, without what it leaves as it is."""
    return query.model_dump(mode="json", exclude_defaults=True)


class AuditFilter(BaseModel):
    """Which entries: of these kinds, by these public ids, by a name that holds `name`, in a range.

    `since` is included, `until` is not.
    """

    whats: list[Act] = []
    tokens: list[str] = []
    name: str = ""
    since: datetime | None = None
    until: datetime | None = None


def audit_page(
    store: Store, limit: int, before: int | None = None, wanted: AuditFilter | None = None
) -> AuditPage:
    """Give one page of the audit. Raises StoreUnavailable."""
    chosen = wanted or AuditFilter()
    rows = audit.list_entries(
        store,
        limit + 1,
        before,
        chosen.whats,
        chosen.tokens,
        name=chosen.name,
        since=microseconds(chosen.since) if chosen.since else None,
        until=microseconds(chosen.until) if chosen.until else None,
    )
    entries = [_entry(row) for row in rows[:limit]]
    return AuditPage(items=entries, next=entries[-1].seq if len(rows) > limit else None)


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        **row.model_dump(include={"seq", "token", "name", "role", "what", "rows", "hash"}),
        time=from_microseconds(row.time),
        details=from_json(row.details),
    )
