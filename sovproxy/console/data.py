"""Data and health: how old what we judge by is, and whether everything works."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.console.frame import render
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.queries import last_arrival
from sovproxy.usecases.searching import FilterInput, search_page

if TYPE_CHECKING:
    from sovproxy.console.view import View

router = APIRouter()


@router.get("/data")
def data_page(view: SignedInView) -> Response:
    """Show databases, policy, store and catalogue."""
    judge = view.judge
    databases = list(judge.databases.status(view.now.timestamp()))
    policy_problem = judge.policy_file.last_error
    degraded = bool(policy_problem) or any(item.stale or item.error for item in databases)
    return render(
        view,
        "data.html",
        health="degraded" if degraded else "ok",
        databases=databases,
        problem=policy_problem,
        arrived=last_arrival(view.store),
        newest=_newest(view),
        atlas=judge.atlas,
    )


def _newest(view: View) -> datetime | None:
    """When the newest event happened; no event is shown, so this is no look at persons."""
    page = search_page(view.store, FilterInput(), 1)
    return page.items[0].time.astimezone(UTC) if page.items else None
