"""What a draft changes, before it is applied; or how two versions differ."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.notices import done
from sovproxy.console.policy_forms import (
    deed_of,
    desk_of,
    draft_of,
    may_apply,
    may_draft,
    number_in,
    require,
)
from sovproxy.console.policy_history import version_of
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.errors import InvalidFile
from sovproxy.policy.compare import compare
from sovproxy.prompt.languages import mark
from sovproxy.usecases.policy import drafting
from sovproxy.usecases.policy.policies import PolicyConflict
from sovproxy.usecases.policy.simulation import SimulationInput
from sovproxy.usecases.upkeep.turns import Busy

if TYPE_CHECKING:
    from sovproxy.console.view import View
    from sovproxy.usecases.policy.simulation import Simulation

router = APIRouter()

QUICK_SECONDS = 6.0
"""How long the summary beside a draft may take; the page of simulations takes longer."""


@router.get("/policy/diff")
def diff_page(view: SignedInView) -> Response:
    """Show how a draft differs from the policy in force, or one version from another."""
    asked = view.request.query_params
    if asked.get("draft"):
        require(may_draft(view))
        return _draft_page(view, asked["draft"])
    old, new = number_in(asked, "from"), number_in(asked, "to")
    names = [view.language.say("version %(number)s", number=n) if n else "" for n in (old, new)]
    return _page(view, _text(view, old), _text(view, new), names)


@router.post("/policy/apply")
def apply(view: SignedInView, form: CheckedForm) -> Response:
    """Put a draft in force, and delete it.

    Its author may save it again at any time: only the text that was shown beside the button counts.
    """
    require(may_apply(view))
    draft = draft_of(view, form.get("draft", ""))
    if not hmac.compare_digest(form.get("seen", "").encode(), _seal(draft.text).encode()):
        changed = view.language.say("The draft has changed since you looked at it. Look again.")
        return _draft_page(view, draft.id, problem=changed, comment=form.get("comment", ""))
    try:
        version = desk_of(view).apply(deed_of(view, form), draft.text)
    except (PolicyConflict, InvalidFile) as error:
        return _draft_page(view, draft.id, problem=str(error), comment=form.get("comment", ""))
    with suppress(drafting.NoSuchDraft):  # deleted meanwhile: it is in force all the same
        drafting.delete_draft(view.store, view.principal, draft.id, view.now)
    notice = mark("Version %(number)s of the policy is in force.")
    return done(view, "/policy", notice, number=version.number)


def _draft_page(view: View, name: str, *, problem: str = "", comment: str = "") -> Response:
    draft, desk = draft_of(view, name), desk_of(view)
    found, check = desk.in_force(), desk.findings(draft.text)
    names = [view.language.say("in force"), view.language.say("draft")]
    return _page(
        view,
        found.text,
        draft.text,
        names,
        draft=draft,
        seal=_seal(draft.text),
        check=check,
        newest=found.newest,
        simulated=_simulated(view, draft.text) if check.valid and not problem else None,
        problem=problem,
        comment=comment or draft.comment,
    )


def _seal(text: str) -> str:
    """What tells one text from every other."""
    return hashlib.sha256(text.encode()).hexdigest()


def _simulated(view: View, text: str) -> Simulation | None:
    """The summary on the last seven days; None while another one of the same person runs."""
    asked = SimulationInput(examples=5)
    try:
        return desk_of(view).simulate(view.principal, text, asked, view.now, seconds=QUICK_SECONDS)
    except Busy:
        return None


def _text(view: View, number: int) -> str:
    return version_of(view, number).text if number else desk_of(view).in_force().text


def _page(view: View, old: str, new: str, names: list[str], **values: Any) -> Response:  # noqa: ANN401  # templates take anything
    shown = [name or view.language.say("in force") for name in names]
    defaults: dict[str, Any] = {
        "draft": None,
        "seal": "",
        "check": None,
        "newest": 0,
        "simulated": None,
        "problem": "",
        "comment": "",
    }
    return render(
        view,
        "policy_diff.html",
        **defaults | values,
        found=compare(old, new, *shown),
        names=shown,
        may_apply=may_apply(view),
    )
