"""Explain: one destination, by the function that judges traffic, with the whole trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.console.failures import Refused
from sovproxy.console.frame import Shown, render
from sovproxy.console.policy_forms import desk_of, draft_of, may_draft
from sovproxy.console.reasons import reason, trace
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.usecases.policy.drafting import list_drafts

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.decide.describe import Json

router = APIRouter()

MAX_QUERY = 2048
EXAMPLES = ("zoom.us", "15.188.1.1", "teams.microsoft.com", "visio.numerique.gouv.fr")


@router.get("/explain")
def explain(view: SignedInView) -> Response:
    """Show the form, and the answer when something is asked. Nothing is resolved or recorded."""
    params = view.request.query_params
    query, ip = params.get("q", "").strip()[:MAX_QUERY], params.get("ip", "").strip()[:64]
    group, client = params.get("group", "")[:100], params.get("client", "").strip()[:24]
    draft = draft_of(view, params["draft"]) if params.get("draft") and may_draft(view) else None
    answer = None
    if draft and query:
        answer = _under(view, draft.text, query, ip, group)
    elif query:
        answer = view.judge.check(query, ip, group, client)
    shown = Shown(view.language)
    powers = {power.id: power for power in view.judge.atlas.powers}
    return render(
        view,
        "explain.html",
        query=query,
        ip=ip,
        group=group,
        client=client,
        answer=answer,
        reason=reason(shown, answer) if answer else "",
        trace=trace(shown, answer) if answer else [],
        powers=powers,
        groups=[item.id for item in view.judge.policy.groups],
        examples=EXAMPLES,
        draft=draft.id if draft else "",
        drafts=list_drafts(view.store) if may_draft(view) else [],
    )


def _under(view: View, text: str, query: str, ip: str, group: str) -> Json:
    """The answer as it would be with a draft in force. Raises Refused for one with errors."""
    try:
        policy = desk_of(view).check(text).policy
    except InvalidFile as error:
        raise Refused(400, str(error)) from None
    return view.judge.check_under(policy, query, ip, group)
