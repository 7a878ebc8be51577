"""The policy in force: its rules in order, what they do today and later, what looks odd."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.console.frame import render
from sovproxy.console.names import Names
from sovproxy.console.policy_forms import desk_of, may_draft
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.decide.policy import NO_ALTERNATIVE, Condition
from sovproxy.prompt.texts import pick

if TYPE_CHECKING:
    from sovproxy.decide.policy import Rule
    from sovproxy.decide.words import Action

router = APIRouter()

_ENUMERATED = 8
"""A condition with more values than this is shown by its first ones and a number."""

_FIELDS = {
    "services": "service",
    "categories": "category",
    "stances": "stance",
    "operators": "operator",
    "networks": "asn",
    "groups": "group",
    "hosts": "host",
}


@dataclass(frozen=True, slots=True)
class Coming:
    """An action that a rule takes from a later day on."""

    start: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule with its action now (None before its first phase) and what is to come."""

    rule: Rule
    now: Action | None
    coming: tuple[Coming, ...]
    conditions: tuple[tuple[str, tuple[str, ...]], ...]


@router.get("/policy")
def policy_page(view: SignedInView) -> Response:
    """Show the policy in force."""
    policy, file = view.judge.policy, view.judge.policy_file
    now = view.now.timestamp()
    return render(
        view,
        "policy.html",
        rules=[_shown(rule, now) for rule in policy.rules],
        about=pick(policy.about, view.language, policy.language),
        title=pick(policy.title, view.language, policy.language),
        file=file,
        in_force=desk_of(view).in_force(),
        may_draft=may_draft(view),
        names=Names(view.judge.atlas, view.language),
        nothing=NO_ALTERNATIVE,
        enumerated=_ENUMERATED,
    )


def _shown(rule: Rule, now: float) -> ShownRule:
    coming = tuple(
        Coming(datetime.fromtimestamp(phase.start, UTC), phase.action)
        for phase in rule.phases
        if phase.start > now
    )
    return ShownRule(rule, rule.action_at(now), coming, _conditions(rule.condition))


def _conditions(condition: Condition) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(
        (_FIELDS.get(part.name, part.name), tuple(sorted(map(str, values))))
        for part in fields(Condition)
        if (values := getattr(condition, part.name))
    )
