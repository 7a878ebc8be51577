"""Saved views: searches under a name, of one's own and shared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.etags import IfMatch, tagged
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.api.told import told
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis import views as usecase
from sovproxy.usecases.analysis.views import (  # noqa: TC001  # FastAPI reads annotations
    SavedView,
    ViewChange,
    ViewInput,
)

router = APIRouter(prefix="/api/v1", tags=["views"])

Reader = Annotated[Principal, allow(Role.ANALYST, Role.ADMIN)]
ViewId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class ViewList(BaseModel):
    """The views that the caller may open, by name: at most 100 of each person."""

    items: list[SavedView]


class FirstView(BaseModel):
    """The view that the caller's page of events opens with; null for none."""

    model_config = ConfigDict(extra="forbid")

    id: int | None = Field(ge=1, le=2**63 - 1, examples=[7])


@router.get("/views")
def views(services: ServicesDep, principal: Reader) -> ViewList:
    """List one's own views and those that are shared."""
    return ViewList(items=usecase.list_views(services.store, principal))


@router.post("/views", status_code=201)
def save_view(
    body: ViewInput, response: Response, services: ServicesDep, principal: Reader
) -> SavedView:
    """Save a view; at most 100 of one person."""
    with told():
        made = usecase.save_view(services.store, principal, body, services.clock())
        return tagged(response, made)


@router.put("/views/first")
def begin_with(body: FirstView, services: ServicesDep, principal: Reader) -> FirstView:
    """Choose the view that one's own page of events opens with."""
    with told():
        usecase.begin_with(services.store, principal, body.id)
    return body


@router.get("/views/{view_id}")
def view(
    view_id: ViewId, response: Response, services: ServicesDep, principal: Reader
) -> SavedView:
    """Give one view."""
    with told():
        return tagged(response, usecase.open_view(services.store, principal, view_id))


@router.patch("/views/{view_id}")
def change_view(
    view_id: ViewId,
    body: ViewChange,
    response: Response,
    services: ServicesDep,
    principal: Reader,
    *,
    if_match: IfMatch = "",
) -> SavedView:
    """Rename a view, or change what it finds or who may open it: its owner may, and admins."""
    with told():
        now = services.clock()
        done = usecase.change_view(services.store, principal, view_id, body, now, match=if_match)
        return tagged(response, done)


@router.delete("/views/{view_id}", status_code=204)
def delete_view(view_id: ViewId, services: ServicesDep, principal: Reader) -> Response:
    """Delete a view: its owner may, and admins."""
    with told():
        usecase.delete_view(services.store, principal, view_id, services.clock())
    return Response(status_code=204)
