"""What the ladder is asked: one destination with everything known about it, and which rules fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sovproxy.decide.notes import Note
from sovproxy.decide.words import Verification

if TYPE_CHECKING:
    from sovproxy.decide.facts import Listing, Place
    from sovproxy.decide.policy import Condition, Rule
    from sovproxy.decide.verdict import Jurisdiction


class Reach(StrEnum):
    """How the policy treats an address before anything else."""

    OUTSIDE = ""
    INTERNAL = "internal"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Question:
    """One identity of a destination: `listing` is how the catalogue knows it, if it does.

    `internal_name` is true of a name below the policy's internal domains, `outer_name` of one that
    anybody may own and that the node has resolved to an internal address.
    `marks` are the policy's own host patterns that the name fits; `now` is Unix seconds.
    """

    listing: Listing | None
    place: Place
    jurisdiction: Jurisdiction
    reach: Reach
    internal_name: bool
    marks: frozenset[str]
    group: str
    now: float
    outer_name: bool = False


def why_not(condition: Condition, question: Question) -> Note | None:
    """None when the condition fits; else the first part that does not, for the trace.

    Services that no rule names look alike and share their trace, so that it does not name them.
    """
    for name, wanted, found in _parts(condition, question):
        if wanted and wanted.isdisjoint(found):
            if name == "service":
                return Note("other-services")
            if not found:
                return Note("no-value", (("part", name),))
            shown = ", ".join(map(str, sorted(found)))
            return Note("other-value", (("part", name), ("found", shown)))
    return None


def _parts(
    condition: Condition, question: Question
) -> tuple[tuple[str, frozenset[str] | frozenset[int], tuple[str | int, ...]], ...]:
    """Each part of a condition with what the question holds for it, cheapest first."""
    listing, jurisdiction = question.listing, question.jurisdiction
    service = listing.service if listing else None
    operator = jurisdiction.operator
    return (
        ("service", condition.services, (service.id,) if service else ()),
        ("category", condition.categories, (service.category,) if service else ()),
        ("stance", condition.stances, (service.stance,) if service else ()),
        ("group", condition.groups, (question.group,) if question.group else ()),
        ("host", condition.hosts, tuple(question.marks)),
        ("operator", condition.operators, operator.chain if operator else ()),
        ("control", condition.control, jurisdiction.control),
        ("location", condition.location, _known(question.place.country)),
        ("network", condition.networks, _known(question.place.asn)),
        ("powers", condition.powers, tuple(power.id for power in jurisdiction.powers)),
        ("standing", condition.standing, (jurisdiction.standing,)),
        ("verification", condition.verification, (listing.verification,) if listing else ()),
    )


def _known(value: str | int) -> tuple[str | int, ...]:
    return (value,) if value else ()


def rests_on_recalled(rule: Rule, question: Question) -> bool:
    """Whether the rule fits only because of a fact that nobody has verified.

    A rule that names the host itself rests on the admin's word, one about location or network on
    the databases', and one without any condition on nobody's.
    """
    condition = rule.condition
    by_listing = condition.services or condition.categories or condition.stances
    by_operator = condition.operators or condition.control or condition.powers or condition.standing
    if condition.hosts or not (by_listing or by_operator or condition.verification):
        return False
    if question.listing:
        return question.listing.verification is Verification.RECALLED
    operator = question.place.operator
    return bool(operator and operator.verification is Verification.RECALLED)
