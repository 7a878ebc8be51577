"""Drafts of policies: saved by admins and analysts, applied by admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from sovproxy.api.routes.policy import Analyst, ApplyInput, Desk
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.policy import drafting
from sovproxy.usecases.policy.drafting import Saving

router = APIRouter(prefix="/api/v1/policy/drafts", tags=["policy"])

DraftId = Annotated[str, Path(alias="draft", pattern=r"^[0-9a-f]{16}$")]


class DraftInput(ApplyInput):
    """A draft as it is saved. It need not be a policy yet."""


class DraftList(BaseModel):
    """The latest 200 drafts of everybody, latest first, without their texts."""

    items: list[drafting.Draft]


@router.get("")
def drafts(_principal: Analyst, desk: Desk) -> DraftList:
    """List the drafts."""
    return DraftList(items=drafting.list_drafts(desk.store))


@router.post("", status_code=201)
def create_draft(
    body: DraftInput, principal: Analyst, services: ServicesDep, desk: Desk
) -> drafting.DraftText:
    """Save a new draft."""
    return drafting.save_draft(desk.store, principal, _saving(body), services.clock())


@router.get("/{draft}")
def draft(draft: DraftId, _principal: Analyst, desk: Desk) -> drafting.DraftText:
    """Give one draft with its text."""
    return drafting.get_draft(desk.store, draft)


@router.put("/{draft}")
def replace_draft(
    draft: DraftId, body: DraftInput, principal: Analyst, services: ServicesDep, desk: Desk
) -> drafting.DraftText:
    """Save a draft again: its author and admins may."""
    return drafting.save_draft(desk.store, principal, _saving(body), services.clock(), draft)


@router.delete("/{draft}", status_code=204)
def delete_draft(draft: DraftId, principal: Analyst, services: ServicesDep, desk: Desk) -> None:
    """Delete a draft: its author and admins may."""
    drafting.delete_draft(desk.store, principal, draft, services.clock())


def _saving(body: DraftInput) -> Saving:
    return Saving(body.text, body.comment, body.based_on)
