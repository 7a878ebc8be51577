"""From a finding to a rule: analysts propose, and what they propose is checked; admins apply."""

from __future__ import annotations

import re
from datetime import date  # noqa: TC003  # the models read it
from typing import TYPE_CHECKING, Annotated, Final, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sovproxy.decide.words import Action
from sovproxy.errors import InvalidFile
from sovproxy.policy.edit import CannotEdit, rule_ids, with_rule
from sovproxy.usecases.analysis.searching import MAX_VALUES, printable
from sovproxy.usecases.analysis.today import today_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sovproxy.usecases.analysis.today import Today
    from sovproxy.usecases.policy.judging import Judge
    from sovproxy.usecases.policy.policies import Check

MAX_ID: Final = 64
_KEYS: Final = {"host": "host", "service": "service", "asn": "network", "operator": "operator"}

Text = Annotated[str, Field(max_length=500), AfterValidator(printable)]


class RuleWish(BaseModel):
    """What a rule should do: for which value of which field, for which groups, and from when.

    Without `action` it does what is done today, and warns at least. Without `begins` the rule acts
    at once. `position` is the place before which it is put, from 0;
    the first rule that fits wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, Field(pattern=f"^({'|'.join(_KEYS)})$")] = Field(examples=["service"])
    value: Annotated[str, Field(min_length=1, max_length=253), AfterValidator(printable)] = Field(
        examples=["zoom"]
    )
    action: Action | None = None
    groups: list[Annotated[str, Field(max_length=64), AfterValidator(printable)]] = Field(
        default=[], max_length=MAX_VALUES, examples=[["finance"]]
    )
    begins: date | None = Field(default=None, examples=["2027-01-01"])
    reason: Text = Field(default="", examples=["Seen after the move to Visio"])
    position: Annotated[int, Field(ge=0, le=2000)] = 0

    @model_validator(mode="after")
    def _is_a_number(self) -> Self:
        if self.field == "asn" and not re.fullmatch("[0-9]{1,10}", self.value, re.ASCII):
            raise ValueError("the number of a network is wanted")
        return self


class Proposal(BaseModel):
    """A rule that is proposed: as YAML, in the text of the policy, and what is wrong with it."""

    rule: str = Field(examples=["id: raised-zoom\nwhen:\n  service: zoom\naction: warn\n"])
    id: str = Field(examples=["raised-zoom"])
    position: int
    text: str = Field(description="The policy in force with this rule in it; empty if refused.")
    problems: list[str]
    action: Action = Field(examples=["block"])
    today: Action | None = Field(
        description="What is done with it today: the strictest verdict. None if nothing is known."
    )
    today_rule: str = Field(description="Where that comes from.", examples=["videoconference"])
    milder: bool = Field(description="Whether the rule permits more than what holds today.")


def propose(
    text: str, wish: RuleWish, check: Callable[[str], Check], today: Today | None
) -> Proposal:
    """Put a rule into a policy's text, and check the whole. Never raises for what was wished."""
    if wish.action is None:
        wish = wish.model_copy(update={"action": _at_least(today)})
    found = _propose(text, wish, check)
    if today is None:
        return found
    milder = found.action.strictness < today.action.strictness
    told = {"today": today.action, "today_rule": today.rule, "milder": milder}
    return found.model_copy(update=told)


def wished_today(judge: Judge, wish: RuleWish) -> Today | None:
    """What holds today for what the rule is wished for: for its first group, or for everybody."""
    return today_of(judge, wish.field, wish.value, wish.groups[0] if wish.groups else "")


def _at_least(today: Today | None) -> Action:
    strictest = [Action.WARN, *([today.action] if today else [])]
    return max(strictest, key=lambda action: action.strictness)


def _propose(text: str, wish: RuleWish, check: Callable[[str], Check]) -> Proposal:
    try:
        present = rule_ids(text)
        rule = build_rule(wish, present)
        draft = with_rule(text, rule, wish.position)
    except (CannotEdit, InvalidFile) as error:
        rule = build_rule(wish, ())
        return _proposal(rule, wish, "", [str(error)])
    checked = check(draft)
    problems = [f"{item.where}: {item.message}" for item in checked.errors]
    return _proposal(rule, wish, "" if problems else draft, problems)


def build_rule(wish: RuleWish, present: Sequence[str]) -> dict[str, object]:
    """The rule as it stands in a policy file, under an id that is not there yet."""
    when: dict[str, object] = {_KEYS[wish.field]: _value(wish)}
    if wish.groups:
        when["group"] = wish.groups[0] if len(wish.groups) == 1 else list(wish.groups)
    rule: dict[str, object] = {"id": _id(wish, present)}
    if wish.reason:
        rule["about"] = wish.reason
    rule["when"] = when
    action = (wish.action or Action.WARN).value
    if wish.begins:
        rule["phases"] = {action: wish.begins}
    else:
        rule["action"] = action
    return rule


def _value(wish: RuleWish) -> object:
    if wish.field == "asn":
        return int(wish.value)
    return f"*{wish.value}" if wish.field == "host" and wish.value[:1] == "." else wish.value


def _id(wish: RuleWish, present: Sequence[str]) -> str:
    words = re.sub("[^a-z0-9]+", "-", f"raised-{wish.value.lower()}"[: MAX_ID - 4]).strip("-")
    names = (words, *(f"{words}-{number}" for number in range(2, 1000)))
    return next((name for name in names if name not in present), words)


def _proposal(rule: dict[str, object], wish: RuleWish, text: str, problems: list[str]) -> Proposal:
    written = yaml.safe_dump(rule, sort_keys=False, allow_unicode=True)
    return Proposal(
        rule=written,
        id=str(rule["id"]),
        position=wish.position,
        text=text,
        problems=problems,
        action=wish.action or Action.WARN,
        today=None,
        today_rule="",
        milder=False,
    )
