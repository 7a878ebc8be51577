"""Explain: one destination, by the function that judges traffic, with the whole trace."""

from __future__ import annotations

from fastapi import APIRouter, Response

from sovproxy.console.frame import render
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations

router = APIRouter()

MAX_QUERY = 2048
EXAMPLES = ("zoom.us", "15.188.1.1", "teams.microsoft.com", "visio.numerique.gouv.fr")


@router.get("/explain")
def explain(view: SignedInView) -> Response:
    """Show the form, and the answer when something is asked. Nothing is resolved or recorded."""
    params = view.request.query_params
    query, ip = params.get("q", "").strip()[:MAX_QUERY], params.get("ip", "").strip()[:64]
    group, client = params.get("group", "")[:100], params.get("client", "").strip()[:24]
    answer = view.judge.check(query, ip, group, client) if query else None
    powers = {power.id: power for power in view.judge.atlas.powers}
    return render(
        view,
        "explain.html",
        query=query,
        ip=ip,
        group=group,
        client=client,
        answer=answer,
        powers=powers,
        groups=[item.id for item in view.judge.policy.groups],
        examples=EXAMPLES,
    )
