"""From a finding to a rule: propose one, see it checked, keep it as a draft of the policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response

from sovproxy.console.charts import ORDER
from sovproxy.console.failures import Refused
from sovproxy.console.findings import ReviewerView, read_form, words
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import Shown, render
from sovproxy.console.notices import done
from sovproxy.console.policy_forms import desk_of
from sovproxy.policy.edit import rule_ids
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.auditing import Act, record_act
from sovproxy.usecases.analysis.findings import (
    FindingChange,
    FindingState,
    NoSuchFinding,
    TooManyNotes,
    change_finding,
)
from sovproxy.usecases.analysis.raising import RuleWish, propose, wished_today
from sovproxy.usecases.policy.drafting import Saving, TooManyDrafts, save_draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View
    from sovproxy.usecases.analysis.raising import Proposal

router = APIRouter(prefix="/findings/raise")

_KEPT: Final = mark("The rule is in a draft. Look at the differences, then an admin applies it.")


@router.get("")
def raise_page(view: ReviewerView) -> Response:
    """Ask what the rule should do, and show what it would be."""
    fields = {**view.request.query_params}
    return _page(view, fields, propose_of(view, fields))


@router.post("")
def keep(view: ReviewerView, form: CheckedForm) -> Response:
    """Keep the proposal as a draft; the finding that it came from is raised."""
    proposal = propose_of(view, form)
    if not proposal.text or form.get("do") != "keep":
        return _page(view, form, proposal)
    newest = desk_of(view).in_force().newest
    saving = Saving(proposal.text, form.get("reason", "")[:500], newest)
    try:
        draft = save_draft(view.store, view.principal, saving, view.now)
    except TooManyDrafts as error:
        raise Refused(409, str(error)) from None
    details = {"rule": proposal.id, "draft": draft.id, "finding": form.get("finding", "")[:20]}
    record_act(view.store, view.principal, Act.FINDING_RAISE, details, now=view.now)
    _mark_raised(view, form, proposal)
    return done(view, f"/policy/edit?draft={draft.id}", _KEPT)


def propose_of(view: View, fields: Mapping[str, str]) -> Proposal:
    """The proposal that a form's fields make, checked. Raises Refused."""
    desk = desk_of(view)
    pair = fields.get("kind") == "pair"
    group = fields.get("group", "")
    wish: dict[str, object] = {
        "field": "service" if pair else fields.get("kind", ""),
        "value": fields.get("value", ""),
        "groups": [group] if group else [],
        "action": fields.get("action") or None,
        "begins": fields.get("begins") or None,
        "reason": fields.get("reason", ""),
        "position": fields.get("position") or 0,
    }
    read = read_form(RuleWish, wish)
    return propose(desk.in_force().text, read, desk.findings, wished_today(view.judge, read))


def _mark_raised(view: View, form: Mapping[str, str], proposal: Proposal) -> None:
    """Note in the finding what it was raised to; the draft is there even if the finding is not, or
    can hold no more."""
    number = form.get("finding", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return
    change = FindingChange(state=FindingState.RAISED, note=proposal.rule[:2000])
    try:
        change_finding(view.store, view.principal, int(number), change, view.now)
    except (NoSuchFinding, TooManyNotes):
        return


def _page(view: View, fields: Mapping[str, str], proposal: Proposal) -> Response:
    desk, show = desk_of(view), Shown(view.language)
    rules = rule_ids(desk.in_force().text)
    say = view.language.say
    places = [(0, say("first of all"))]
    places += [(at + 1, say("after %(rule)s", rule=rule)) for at, rule in enumerate(rules)]
    return render(
        view,
        "raise.html",
        fields={name: fields.get(name, "") for name in _FIELDS},
        proposal=proposal,
        actions=[(action.value, show.word("action", action)) for action in ORDER],
        groups=[("", say("everybody")), *((one.id, one.id) for one in view.judge.policy.groups)],
        places=places,
        **words(view),
    )


_FIELDS: Final = (
    "kind", "value", "group", "action", "begins", "reason", "position", "finding",
)  # fmt: skip
