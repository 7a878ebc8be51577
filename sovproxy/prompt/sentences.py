"""In whose hands a destination is, and why that matters, in one plain sentence.

A sentence is put together from whole clauses, so that each language can say them in its own way.
Countries enter a clause only in the one form they have after "the law of" (`law_of`): articles and
cases then stand in the translation files, country by country, and not in code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.decide.words import Effect, PowerStatus
from sovproxy.prompt.countries import law_of
from sovproxy.prompt.languages import mark

if TYPE_CHECKING:
    from sovproxy.decide.facts import Operator
    from sovproxy.decide.policy import Policy
    from sovproxy.decide.verdict import Verdict
    from sovproxy.prompt.languages import Language


@dataclass(frozen=True, slots=True)
class _Hands:
    """Who holds the destination from outside the trust zone, and by which country's law.

    `operator` is the entity that is named (none: only the server stands abroad), `parent` the one
    above it that brings the country in, `runs_service` false when it only runs the network.
    """

    country: str
    operator: Operator | None = None
    parent: Operator | None = None
    runs_service: bool = False


def subject(verdict: Verdict, language: Language) -> str:
    """The destination as the beginning of a sentence."""
    if verdict.service:
        name = verdict.service.name
        return language.say_in("beginning of a sentence", "%(service)s", service=name)
    return language.say("This site")


def in_whose_hands(verdict: Verdict, policy: Policy, language: Language) -> str:
    """The sentence for a worker: who holds it, which law reaches it, what that law can do."""
    hands = _foreign_hands(verdict, policy.trust_zone)
    if hands is None:
        return _without_foreign_hands(verdict, language)
    who = _who(hands, verdict, language)
    reach = _reach(hands.country, verdict, language)
    if not reach:
        return language.say("%(who)s.", who=who)
    return language.say("%(who)s: %(reach)s.", who=who, reach=reach)


def _foreign_hands(verdict: Verdict, trust_zone: frozenset[str]) -> _Hands | None:
    jurisdiction = verdict.jurisdiction
    of_service = verdict.service.operator if verdict.service else None
    powerful = {power.country for power in jurisdiction.powers}
    for operator in (of_service, jurisdiction.operator, jurisdiction.place.operator):
        if operator:
            chain = _chain(operator, trust_zone, operator is of_service)
            if chain:
                return next((hands for hands in chain if hands.country in powerful), chain[0])
    country = jurisdiction.place.country
    return _Hands(country) if country and country not in trust_zone else None


def _chain(operator: Operator, trust_zone: frozenset[str], runs_service: bool) -> list[_Hands]:
    """Every entity of the operator's chain that a country outside the trust zone holds."""
    chain = []
    if operator.country not in trust_zone:
        above = next((p for p in operator.parents if p.country == operator.country), None)
        chain.append(_Hands(operator.country, operator, above, runs_service))
    chain.extend(
        _Hands(parent.country, operator, parent, runs_service)
        for parent in reversed(operator.parents)
        if parent.country not in trust_zone
    )
    return chain


_WHO = {
    # NOTE: subject is "This site" or a service; law is "the law of …"; no full stop at the end.
    (True, False): mark("%(subject)s is operated by %(operator)s and so answers to %(law)s"),
    (True, True): mark(
        "%(subject)s is operated by %(operator)s, which belongs to %(parent)s, and so answers to "
        "%(law)s"
    ),
    (False, False): mark("%(subject)s is on the network of %(operator)s and so answers to %(law)s"),
    (False, True): mark(
        "%(subject)s is on the network of %(operator)s, which belongs to %(parent)s, and so "
        "answers to %(law)s"
    ),
}
"""The first clause: whether the operator runs the service itself, and whether a parent is named."""


def _who(hands: _Hands, verdict: Verdict, language: Language) -> str:
    values = {"subject": subject(verdict, language), "law": law_of(hands.country, language)}
    if hands.operator is None:
        return language.say("%(subject)s is on a server that answers to %(law)s", **values)
    values |= {"operator": hands.operator.name, "parent": hands.parent.name if hands.parent else ""}
    return language.say(_WHO[hands.runs_service, hands.parent is not None], **values)


def _reach(country: str, verdict: Verdict, language: Language) -> str:
    """What that country's powers in force can do; a lapsed power is left to the details."""
    effects = {
        power.effect
        for power in verdict.jurisdiction.powers
        if power.country == country and power.status is PowerStatus.IN_FORCE
    }
    if effects == {Effect.DISCLOSE, Effect.CUT_OFF}:
        return language.say(
            "the authorities there can demand the data it holds and have the service cut off"
        )
    if Effect.DISCLOSE in effects:
        return language.say("the authorities there can demand the data it holds")
    if Effect.CUT_OFF in effects:
        return language.say("the authorities there can have the service cut off")
    return ""


def _without_foreign_hands(verdict: Verdict, language: Language) -> str:
    if verdict.rule == "refused-network":
        return language.say("This address belongs to a network that nobody may reach from here.")
    if verdict.jurisdiction.control:
        return language.say(
            "%(subject)s answers to a law that is accepted here, but your organisation has chosen "
            "otherwise for this use.",
            subject=subject(verdict, language),
        )
    return language.say("It is not known who operates this site or which law it answers to.")
