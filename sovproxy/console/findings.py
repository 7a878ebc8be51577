"""Findings: the inbox, one thing with all that can be done about it, and one finding."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import Shown, render
from sovproxy.console.links import own_path
from sovproxy.console.marked import Marked
from sovproxy.console.names import Names
from sovproxy.console.notices import done
from sovproxy.console.view import View, signed_in
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.tokens import MAY_SEE_EVENTS
from sovproxy.usecases.analysis import findings as usecase
from sovproxy.usecases.analysis.findings import (
    MAX_PAGE,
    FindingChange,
    FindingFilter,
    FindingInput,
    FindingState,
    NoSuchFinding,
    TooManyNotes,
)
from sovproxy.usecases.analysis.suppressing import (
    DEFAULT_DAYS,
    MAX_DAYS,
    NoSuchSuppression,
    SuppressionInput,
    SuppressionKind,
    TooManySuppressions,
    lift,
    suppress,
    suppressions,
)
from sovproxy.usecases.versions import Changed
from sovproxy.yamlfile import path_text

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/findings")

PAGE: Final = 30
OPEN: Final = (FindingState.NEW, FindingState.IN_REVIEW)
KEYS: Final = (
    ("j k", mark("next, previous")),
    ("Enter", mark("open")),
    ("v", mark("take into review")),
    ("c", mark("confirm")),
    ("e", mark("dismiss")),
    ("/", mark("filter")),
    ("?", mark("this help")),
)
_MARKED: Final = mark("Marked.")
_SAVED: Final = mark("Saved.")
_SUPPRESSED: Final = mark("It is not shown any more, until %(day)s.")
_LIFTED: Final = mark("It is shown again.")


def reviewer(view: Annotated[View, Depends(signed_in)]) -> View:
    """The view of a page for those who may see events. Raises Refused, SignInNeeded."""
    if view.principal.role not in MAY_SEE_EVENTS:
        raise Refused(403)
    return view


ReviewerView = Annotated[View, Depends(reviewer)]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("")
def inbox(view: ReviewerView) -> Response:
    """Show what is to be worked through, with counts by state and the filter in the URL."""
    params = view.request.query_params
    fields = FindingFilter.model_fields
    asked = {name: [value for value in params.getlist(name) if value] for name in fields}
    unknown = sorted(set(params) - {*fields, "cursor", "all"})
    if unknown:
        raise Refused(400, f"{unknown[0][:50]}: there is no such filter")
    wanted = read_form(FindingFilter, asked)
    if not wanted.state and "all" not in params:
        wanted = wanted.model_copy(update={"state": list(OPEN)})
    cursor = params.get("cursor", "")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refused(400, "cursor: a number of this list is wanted")
    page = usecase.list_findings(view.store, wanted, PAGE, int(cursor) if cursor else None)
    return render(
        view,
        "findings.html",
        page=page,
        asked=asked,
        wanted=wanted,
        shows_all="all" in params,
        keys=KEYS,
        **words(view),
    )


@router.get("/thing")
def thing_page(view: ReviewerView) -> Response:
    """Show what can be done about one thing: mark it, suppress it, raise it to a rule."""
    params = view.request.query_params
    fields = {name: params.get(name, "") for name in ("kind", "value", "group")}
    wanted = read_form(FindingInput, fields)
    found = usecase.findings_of(view.store, [wanted.thing]).get(wanted.thing)
    in_force = suppressions(view.store, view.now)
    return render(
        view,
        "thing.html",
        wanted=wanted,
        found=found,
        hidden=[item for item in in_force if (item.kind, item.value) == wanted.thing[:2]],
        can_suppress=wanted.kind.value in list(SuppressionKind),
        days=DEFAULT_DAYS,
        most_days=MAX_DAYS,
        **words(view),
    )


@router.post("/mark")
def mark_thing(view: ReviewerView, form: CheckedForm) -> Response:
    """Mark a thing, and go to its finding."""
    fields = {name: form.get(name, "") for name in ("kind", "value", "group", "note")}
    wanted = read_form(FindingInput, fields | {"tags": tags_of(form)})
    found, _ = usecase.mark(view.store, view.principal, wanted, view.now)
    return done(view, f"/findings/{found.id}", _MARKED)


@router.get("/suppressions")
def suppressions_page(view: ReviewerView) -> Response:
    """List what is suppressed, until when and why, and what was."""
    show = Shown(view.language)
    return render(
        view,
        "suppressions.html",
        in_force=suppressions(view.store, view.now),
        ended=suppressions(view.store, view.now, ended=True)[:MAX_PAGE],
        kinds=[(kind.value, show.word("finding", kind)) for kind in SuppressionKind],
        days=DEFAULT_DAYS,
        most_days=MAX_DAYS,
        **words(view),
    )


@router.post("/suppress")
def suppress_value(view: ReviewerView, form: CheckedForm) -> Response:
    """Do not show a value again."""
    fields = {name: form.get(name, "") for name in ("kind", "value", "reason", "days")}
    wanted = read_form(SuppressionInput, fields)
    try:
        made = suppress(view.store, view.principal, wanted, view.now)
    except TooManySuppressions as error:
        raise Refused(409, str(error)) from None
    day = view.language.day(made.expires.date())
    return done(view, "/findings/suppressions", _SUPPRESSED, day=day)


@router.post("/suppressions/{number}/lift")
def lift_suppression(number: Number, view: ReviewerView, form: CheckedForm) -> Response:
    """Show a value again."""
    _ = form
    try:
        lift(view.store, view.principal, number, view.now)
    except NoSuchSuppression as error:
        raise Refused(404, str(error)) from None
    return done(view, "/findings/suppressions", _LIFTED)


@router.get("/{number}")
def finding_page(number: Number, view: ReviewerView) -> Response:
    """Show one finding with its history."""
    try:
        found = usecase.get_finding(view.store, number)
    except NoSuchFinding:
        raise Refused(404) from None
    kind, show = found.kind.value, Shown(view.language)
    return render(
        view,
        "finding.html",
        finding=found,
        can_suppress=kind in list(SuppressionKind),
        states=[(state.value, show.word("state", state)) for state in FindingState],
        days=DEFAULT_DAYS,
        most_days=MAX_DAYS,
        **words(view),
    )


@router.post("/{number}")
def change_finding(number: Number, view: ReviewerView, form: CheckedForm) -> Response:
    """Change a finding; `next` tells which page of ours follows."""
    fields: dict[str, object] = {
        name: form[name] for name in ("state", "assignee", "note") if name in form
    }
    if "tags" in form:
        fields["tags"] = tags_of(form)
    change = read_form(FindingChange, fields)
    try:
        match = form.get("version", "")
        usecase.change_finding(view.store, view.principal, number, change, view.now, match=match)
    except NoSuchFinding:
        raise Refused(404) from None
    except Changed:
        raise Refused(412) from None
    except TooManyNotes as error:
        raise Refused(409, str(error)) from None
    if following := form.get("next", ""):
        return RedirectResponse(own_path(following), HTTPStatus.SEE_OTHER)
    return done(view, f"/findings/{number}", _SAVED)


def words(view: View) -> dict[str, Any]:
    """What all of these pages show values with."""
    return {"names": Names(view.judge.atlas, view.language), "marked": Marked({})}


def read_form[Model: BaseModel](model: type[Model], fields: Mapping[str, object]) -> Model:
    """Read what a form sent. Raises Refused, naming each field that cannot be read."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        pairs = ((path_text(item["loc"]), item["msg"]) for item in error.errors()[:5])
        said = (f"{where}: {text}".removeprefix(": ") for where, text in pairs)
        raise Refused(400, "; ".join(said).replace("Value error, ", "")) from None


def tags_of(form: Mapping[str, str]) -> list[str]:
    """The tags of a form, which stand in one field."""
    return form.get("tags", "").replace(",", " ").lower().split()
