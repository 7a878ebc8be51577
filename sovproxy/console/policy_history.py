"""The policies that were in force: who applied them, when and why; and rolling back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.policy_forms import deed_of, desk_of, may_apply, number_in, require
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.prompt.languages import mark
from sovproxy.usecases.policy.policies import (
    NoSuchVersion,
    PolicyConflict,
    version_page,
    version_text,
)

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.usecases.policy.policies import VersionText

router = APIRouter()

PAGE = 50


@router.get("/policy/history")
def history_page(view: SignedInView) -> Response:
    """Show the versions, newest first."""
    return _page(view)


@router.get("/policy/versions/{number}")
def version_view(number: str, view: SignedInView) -> Response:
    """Show one version with its text."""
    found = version_of(view, number_in({"number": number}, "number"))
    return render(view, "policy_version.html", version=found, may_apply=may_apply(view))


@router.post("/policy/rollback")
def roll_back(view: SignedInView, form: CheckedForm) -> Response:
    """Put an older version in force again; 0 goes back to the policy of the settings."""
    require(may_apply(view))
    number, deed, desk = number_in(form, "number"), deed_of(view, form), desk_of(view)
    try:
        version = desk.roll_back(deed, number) if number else desk.to_settings(deed)
    except (PolicyConflict, InvalidFile, NoSuchVersion) as error:
        return _page(view, problem=str(error))
    notice = mark("Version %(number)s of the policy is in force.")
    return done(view, "/policy/history", notice, number=version.number)


def version_of(view: View, number: int) -> VersionText:
    """A version. Raises Refused."""
    try:
        return version_text(view.store, number)
    except NoSuchVersion as error:
        raise Refused(404, str(error)) from None


def _page(view: View, problem: str = "") -> Response:
    before = number_in(view.request.query_params, "cursor")
    found = version_page(view.store, PAGE, before or None)
    in_force = desk_of(view).in_force()
    return render(
        view,
        "policy_history.html",
        versions=found.items,
        following=found.next,
        in_force=in_force,
        may_apply=may_apply(view),
        problem=problem,
    )
