"""Candidates: hosts that are seen often and that no entry of the catalogue covers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response

from sovproxy.console.failures import Refused
from sovproxy.console.findings import ReviewerView, words
from sovproxy.console.frame import render
from sovproxy.usecases.analysis.candidates import candidates
from sovproxy.usecases.analysis.searching import FilterInput

router = APIRouter(prefix="/catalogue/candidates")

SPANS: Final = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
DEFAULT_SPAN: Final = "7d"
LIMIT: Final = 100


@router.get("")
def candidates_page(view: ReviewerView) -> Response:
    """List the hosts without an entry, the most frequent first."""
    span = view.request.query_params.get("last", DEFAULT_SPAN)
    if span not in SPANS:
        raise Refused(400, f"last: one of {', '.join(SPANS)} is wanted")
    wanted = FilterInput(since=view.now - SPANS[span])
    found = candidates(
        view.store,
        wanted,
        view.now,
        covered=lambda host: bool(view.judge.check(host).get("service")),
        limit=LIMIT,
    )
    return render(
        view,
        "candidates.html",
        found=found,
        meetings=any(item.meetings for item in found.items),
        span=span,
        spans=list(SPANS),
        **words(view),
    )
