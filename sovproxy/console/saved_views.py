"""Saved views in the console: save, list, change, delete, choose the first."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from sovproxy.console.failures import Refused
from sovproxy.console.findings import ReviewerView, read_form
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis import views as usecase
from sovproxy.usecases.analysis.search_words import InvalidSearch
from sovproxy.usecases.analysis.views import (
    NoSuchView,
    NotYourView,
    TooManyViews,
    ViewChange,
    ViewInput,
)
from sovproxy.usecases.versions import Changed

router = APIRouter(prefix="/views")

_SAVED: Final = mark("The view %(name)s is saved.")
_DELETED: Final = mark("The view is deleted.")
_FIRST: Final = mark("Your page of events opens with this view.")
_NO_FIRST: Final = mark("Your page of events opens without a view.")

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("")
def views_page(view: ReviewerView) -> Response:
    """List the views that the reader may open, with what the reader may change."""
    saved = usecase.list_views(view.store, view.principal)
    return render(view, "views.html", saved=saved, admin=view.principal.role is Role.ADMIN)


@router.post("")
def save_view(view: ReviewerView, form: CheckedForm) -> Response:
    """Save a view, and open it."""
    fields = {name: form.get(name, "").strip() for name in ("name", "query", "description")}
    wanted = read_form(ViewInput, fields | {"shared": "shared" in form})
    try:
        made = usecase.save_view(view.store, view.principal, wanted, view.now)
        if "first" in form:
            usecase.begin_with(view.store, view.principal, made.id)
    except InvalidSearch as error:
        raise Refused(400, str(error)) from None
    except TooManyViews as error:
        raise Refused(409, str(error)) from None
    return done(view, f"/events?{made.query or 'last=24h'}", _SAVED, name=made.name)


@router.post("/{number}")
def change_view(number: Number, view: ReviewerView, form: CheckedForm) -> Response:
    """Rename a view, describe it, or change who may open it."""
    fields = {name: form.get(name, "").strip() for name in ("name", "description")}
    change = read_form(ViewChange, fields | {"shared": "shared" in form})
    try:
        match, now = form.get("version", ""), view.now
        made = usecase.change_view(view.store, view.principal, number, change, now, match=match)
    except (NoSuchView, NotYourView) as error:
        raise _refused(error) from None
    except Changed:
        raise Refused(412) from None
    return done(view, "/views", _SAVED, name=made.name)


@router.post("/{number}/delete")
def delete_view(number: Number, view: ReviewerView, form: CheckedForm) -> Response:
    """Delete a view."""
    _ = form
    try:
        usecase.delete_view(view.store, view.principal, number, view.now)
    except (NoSuchView, NotYourView) as error:
        raise _refused(error) from None
    return done(view, "/views", _DELETED)


@router.post("/{number}/first")
def begin_with(number: Number, view: ReviewerView, form: CheckedForm) -> Response:
    """Let one's page of events open with a view, or (`off`) without one."""
    off = "off" in form
    try:
        usecase.begin_with(view.store, view.principal, None if off else number)
    except NoSuchView as error:
        raise _refused(error) from None
    return done(view, "/views", _NO_FIRST if off else _FIRST)


def _refused(error: NoSuchView | NotYourView) -> Refused:
    return Refused(404 if isinstance(error, NoSuchView) else 403, str(error))
