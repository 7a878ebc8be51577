"""Drafts of policies that people save, so that nothing is lost when a session ends."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  # the models read them
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.errors import SovproxyError
from sovproxy.store import policies as rows
from sovproxy.store.tables import PolicyDraftRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.tokens import Principal, Role

if TYPE_CHECKING:
    from sovproxy.store.database import Store

MAX_DRAFTS: Final = 20
"""Of one person."""

MAX_LISTED: Final = 200


class NoSuchDraft(SovproxyError):
    """There is no draft with that id."""

    def __init__(self) -> None:
        super().__init__("there is no such draft; it was deleted, or never saved")


class NotYourDraft(SovproxyError):
    """The draft is somebody else's."""

    def __init__(self) -> None:
        super().__init__("only its author and admins may change or delete this draft")


class TooManyDrafts(SovproxyError):
    """One person keeps no more."""

    def __init__(self) -> None:
        super().__init__(f"at most {MAX_DRAFTS} drafts of one person are kept; delete one")


class Draft(BaseModel):
    """A saved draft: whose, what it is about, and on which version it is based."""

    id: str = Field(examples=["5f2c9a7be01d4438"])
    author: str = Field(examples=["0f3a9c5d7e1b2846"])
    author_name: str = Field(examples=["Ada"])
    comment: str
    based_on: int = Field(examples=[4])
    time: datetime


class DraftText(Draft):
    """A saved draft with its text."""

    text: str = Field(examples=["id: ours\n…"])


@dataclass(frozen=True, slots=True)
class Saving:
    """What is saved. It need not be a policy yet."""

    text: str
    comment: str
    based_on: int


def save_draft(
    store: Store, principal: Principal, saving: Saving, now: datetime, draft: str = ""
) -> DraftText:
    """Save a new draft, or the one with that id again.

    Raises NoSuchDraft, NotYourDraft, TooManyDrafts, StoreUnavailable.
    """
    present = _owned(store, principal, draft) if draft else None
    row = PolicyDraftRow(
        id=present.id if present else secrets.token_hex(8),
        author=present.author if present else principal.token_id,
        author_name=present.author_name if present else principal.name,
        comment=saving.comment,
        based_on=saving.based_on,
        time=microseconds(now),
        text=saving.text,
    )
    entry = act_entry(principal, Act.POLICY_DRAFT_SAVE, _details(row), now=now)
    if not rows.save_draft(store, row, MAX_DRAFTS, entry):
        raise TooManyDrafts
    return _text(row)


def get_draft(store: Store, draft: str) -> DraftText:
    """Give a draft. Raises NoSuchDraft, StoreUnavailable."""
    row = rows.get_draft(store, draft)
    if row is None:
        raise NoSuchDraft
    return _text(row)


def list_drafts(store: Store) -> list[Draft]:
    """Give the latest 200 drafts of everybody, latest first. Raises StoreUnavailable."""
    return [_draft(row) for row in rows.list_drafts(store, MAX_LISTED)]


def delete_draft(store: Store, principal: Principal, draft: str, now: datetime) -> None:
    """Delete a draft. Raises NoSuchDraft, NotYourDraft, StoreUnavailable."""
    row = _owned(store, principal, draft)
    entry = act_entry(principal, Act.POLICY_DRAFT_DELETE, _details(row), now=now)
    if not rows.delete_draft(store, draft, entry):
        raise NoSuchDraft


def _owned(store: Store, principal: Principal, draft: str) -> PolicyDraftRow:
    """The draft, if this person may change it: the author, and admins."""
    row = rows.get_draft(store, draft)
    if row is None:
        raise NoSuchDraft
    if principal.role is not Role.ADMIN and row.author != principal.token_id:
        raise NotYourDraft
    return row


def _details(row: PolicyDraftRow) -> dict[str, object]:
    return row.model_dump(include={"id", "comment", "based_on"})


def _draft(row: PolicyDraftRow) -> Draft:
    return Draft(**_fields(row))


def _text(row: PolicyDraftRow) -> DraftText:
    return DraftText(**_fields(row), text=row.text)


def _fields(row: PolicyDraftRow) -> dict[str, object]:
    return row.model_dump(exclude={"time", "text"}) | {"time": from_microseconds(row.time)}
