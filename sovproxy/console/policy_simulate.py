"""Simulating a draft: what it would change on recorded traffic."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response

from sovproxy.console.failures import Refused
from sovproxy.console.frame import render
from sovproxy.console.names import Names
from sovproxy.console.policy_forms import ACTIONS, desk_of, draft_of, may_draft, require
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.prompt.languages import mark
from sovproxy.usecases.policy import drafting
from sovproxy.usecases.policy.simulation import SimulationInput
from sovproxy.usecases.upkeep.turns import Busy

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.usecases.policy.simulation import Simulation

router = APIRouter()

RANGES: Final = {"1d": 1, "7d": 7, "30d": 30, "90d": 90}
"""Days by the word in the address."""

RANGE_NAMES: Final = {
    "1d": mark("Last 24 hours"),
    "7d": mark("Last 7 days"),
    "30d": mark("Last 30 days"),
    "90d": mark("Last 90 days"),
}


@router.get("/policy/simulate")
def simulate_page(view: SignedInView) -> Response:
    """Ask for a draft and a range, and show what would change."""
    require(may_draft(view))
    asked = view.request.query_params
    draft = draft_of(view, asked["draft"]) if asked.get("draft") else None
    span, on = asked.get("last", "7d"), asked.get("at", "")
    if span not in RANGES:
        raise Refused(400, f"a range is one of {', '.join(RANGES)}")
    found, problem = _simulated(view, draft.text, RANGES[span], on) if draft else (None, "")
    return render(
        view,
        "policy_simulate.html",
        draft=draft,
        drafts=drafting.list_drafts(view.store),
        last=span,
        at=on,
        ranges=RANGE_NAMES,
        found=found,
        problem=problem,
        names=Names(view.judge.atlas, view.language),
        actions=ACTIONS,
    )


def _simulated(view: View, text: str, days: int, on: str) -> tuple[Simulation | None, str]:
    asked = SimulationInput(since=view.now - timedelta(days=days), at=_day(on), examples=20)
    try:
        return desk_of(view).simulate(view.principal, text, asked, view.now), ""
    except (Busy, InvalidFile) as error:
        return None, str(error)


def _day(text: str) -> datetime | None:
    """The noon of a day, so that phases of that day have begun. Raises Refused."""
    if not text:
        return None
    try:
        found = datetime.combine(date.fromisoformat(text), time(12), UTC)
    except ValueError:
        raise Refused(400, "a day is wanted, such as 2027-01-01") from None
    if not 1971 <= found.year <= 9000:
        raise Refused(400, "a year from 1971 to 9000 is wanted")
    return found
