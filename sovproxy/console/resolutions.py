"""Who is this client? Ask, approve or refuse, and see the answer while it is there."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from sovproxy.console.failures import Refused
from sovproxy.console.findings import read_form
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.prompt.languages import mark
from sovproxy.usecases.analysis import resolving_clients as usecase
from sovproxy.usecases.analysis.resolving_clients import (
    APPROVERS,
    REQUESTERS,
    Decision,
    NoSuchResolution,
    NotWaiting,
    Refusal,
    ResolutionInput,
    SamePerson,
    TooManyResolutions,
)

router = APIRouter(prefix="/resolutions")

PAGE: Final = 30
_ASKED: Final = mark("Asked. Another person has to approve within a week.")
_APPROVED: Final = mark("Approved. The node that knows the client is asked.")
_REFUSED: Final = mark("Refused.")

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


@router.get("")
def resolutions_page(view: SignedInView) -> Response:
    """List questions, and ask a new one."""
    params = view.request.query_params
    cursor = params.get("cursor", "")
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refused(400, "cursor: a number of this list is wanted")
    before = int(cursor) if cursor else None
    page = usecase.list_resolutions(view.store, view.principal, view.now, PAGE, before)
    return render(
        view,
        "resolutions.html",
        page=page,
        client=params.get("client", "")[:40],
        may_ask=view.principal.role in REQUESTERS,
        may_decide=view.principal.role in APPROVERS,
    )


@router.post("")
def ask(view: SignedInView, form: CheckedForm) -> Response:
    """Ask who a client is."""
    if view.principal.role not in REQUESTERS:
        raise Refused(403)
    fields = {name: form.get(name, "").strip() for name in ("client", "reason", "reference")}
    wanted = read_form(ResolutionInput, fields)
    try:
        made = usecase.request(view.store, view.principal, wanted, view.now)
    except TooManyResolutions as error:
        raise Refused(409, str(error)) from None
    return done(view, f"/resolutions/{made.id}", _ASKED)


@router.get("/{number}")
def resolution_page(number: Id, view: SignedInView) -> Response:
    """Show one question; the two people see the answer."""
    try:
        found = usecase.open_resolution(view.store, view.principal, number, view.now)
    except NoSuchResolution:
        raise Refused(404) from None
    return render(view, "resolution.html", item=found)


@router.post("/{number}")
def decide(number: Id, view: SignedInView, form: CheckedForm) -> Response:
    """Approve or refuse."""
    if view.principal.role not in APPROVERS:
        raise Refused(403)
    approve = form.get("decision") == "approve"
    fields = {"message": form.get("message", "").strip()}
    said = read_form(Decision, fields) if approve else read_form(Refusal, fields)
    try:
        usecase.decide(view.store, view.principal, number, said.message, view.now, approve=approve)
    except NoSuchResolution:
        raise Refused(404) from None
    except SamePerson as error:
        raise Refused(403, str(error)) from None
    except NotWaiting as error:
        raise Refused(409, str(error)) from None
    return done(view, f"/resolutions/{number}", _APPROVED if approve else _REFUSED)
