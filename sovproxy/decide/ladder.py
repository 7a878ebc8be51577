"""The ladder: rungs in order, the first that decides wins. Read `RUNGS` to know what sovproxy does.

Each rung is a function from the question (and the policy) to a decision or None; the steps taken
are kept, so that the worker, the admin and the analyst all see the same trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sovproxy.decide.jurisdiction import control_of
from sovproxy.decide.notes import Note
from sovproxy.decide.policy import NO_TEXTS
from sovproxy.decide.question import Question, Reach, rests_on_recalled, why_not
from sovproxy.decide.verdict import Jurisdiction, Step, Verdict
from sovproxy.decide.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sovproxy.decide.destination import Unreadable
    from sovproxy.decide.facts import Listing, Place, Service
    from sovproxy.decide.policy import Policy, Rule, Texts

type Services = Mapping[str, Service]
type Rung = Callable[[Question, Policy], Iterator[Step | Decision]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rung decided. `by` is the policy's rule, when it was one."""

    action: Action
    rule: str
    why: Note | None = None
    by: Rule | None = None
    softened: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision with the jurisdiction it rests on and the steps that led to it."""

    decision: Decision
    jurisdiction: Jurisdiction
    steps: tuple[Step, ...]


def refused_network(question: Question, _policy: Policy) -> Iterator[Step | Decision]:
    """The proxy is no way in: loopback, link-local and whatever else the policy refuses."""
    if question.reach is Reach.REFUSED:
        yield Decision(Action.BLOCK, "refused-network", Note("refused-network"))
    yield Step("refused-network", decided=False, note=Note("not-refused"))


def internal(question: Question, _policy: Policy) -> Iterator[Step | Decision]:
    """The administration's own names and networks are not judged, unless they are listed.

    A name of somebody else that leads inside would make the proxy a way in (DNS rebinding).
    """
    if question.internal_name:
        yield Decision(Action.ALLOW, "internal", Note("internal-domain"))
    if question.outer_name:
        yield Decision(Action.BLOCK, "refused-network", Note("leads-inside"))
    if question.reach is Reach.INTERNAL and question.listing is None:
        yield Decision(Action.ALLOW, "internal", Note("internal-network"))
    yield Step("internal", decided=False, note=Note("not-internal"))


def rules(question: Question, policy: Policy) -> Iterator[Step | Decision]:
    """The policy's rules in their order; the first that fits and is in force wins."""
    for rule in policy.rules:
        miss = why_not(rule.condition, question)
        action = rule.action_at(question.now)
        if miss:
            yield Step(f"rule {rule.id}", decided=False, note=miss)
        elif action is None:
            yield Step(f"rule {rule.id}", decided=False, note=Note("not-yet"))
        else:
            yield _decide_by_rule(rule, action, question, policy)


def _decide_by_rule(rule: Rule, action: Action, question: Question, policy: Policy) -> Decision:
    trusted = rule.trust_recalled or policy.trust_recalled
    softened = action is Action.BLOCK and not trusted and rests_on_recalled(rule, question)
    why = Note("recalled") if softened else None
    return Decision(Action.WARN if softened else action, rule.id, why, rule, softened)


def default(_question: Question, policy: Policy) -> Iterator[Step | Decision]:
    """No rule fits: the policy's default."""
    yield Decision(policy.default, "default", Note("no-rule"))


RUNGS: tuple[tuple[str, Rung], ...] = (
    ("refused-network", refused_network),
    ("internal", internal),
    ("rules", rules),
    ("default", default),
)
"""The whole order of decision for one identity of a destination.

What then stops a connection can still be lifted, in this order: by an exception in force
(`exceptions.Exceptions.lift`, rule `exception`, action `observe`), and a warning by the worker's
acknowledgement. Neither lifts `refused-network`, `unreadable-destination` or `on-error`.
"""


def climb(question: Question, policy: Policy) -> Ruling:
    """Walk the rungs until one decides."""
    steps: list[Step] = []
    for name, rung in RUNGS:
        for outcome in rung(question, policy):
            if isinstance(outcome, Decision):
                said = {"rule": outcome.rule, "action": outcome.action}
                steps.append(Step(name, decided=True, note=outcome.why, **said))
                return Ruling(outcome, question.jurisdiction, tuple(steps))
            steps.append(outcome)
    raise AssertionError("the last rung always decides")


def unreadable(bad: Unreadable, policy: Policy) -> Verdict:
    """The verdict on input that names no destination: there is nothing to connect to."""
    why = Note("unreadable", (("problem", bad.problem),))
    rule, action = "unreadable-destination", Action.BLOCK
    steps = (Step(rule, decided=True, note=why, rule=rule, action=action),)
    return Verdict(action, rule, policy.id, policy.version, steps=steps, why=str(why))


type Cut = tuple[
    Action, str, str, str, Jurisdiction, Service | None, bool, Texts, bool, tuple[Step, ...], str
]
"""A ruling cut to the form of a verdict: all of it that does not hang on the listing.

Action, rule, policy, version, jurisdiction, alternative, whether that is left to the service,
message, softened, steps, why. (A plain tuple: it is unpacked for every connection.)
"""


class Tailor:
    """Dresses rulings as verdicts: adds the listing, its service and the service to offer."""

    def __init__(self, policy: Policy, services: Services) -> None:
        self._policy = policy
        self._services = services
        self._first_choice: dict[Service, tuple[Service | None]] = {}

    def cut(self, ruling: Ruling, place: Place) -> Cut:
        """Prepare a ruling for all destinations at `place`, which looks like the ruling's own."""
        decision, policy, found = ruling.decision, self._policy, ruling.jurisdiction
        offers = decision.action is not Action.ALLOW
        named = decision.by.alternative if decision.by else ""
        return (
            decision.action,
            decision.rule,
            policy.id,
            policy.version,
            Jurisdiction(found.standing, found.operator, place, found.control, found.powers),
            self._services.get(named) if offers else None,
            offers and not named,
            decision.by.message if decision.by else NO_TEXTS,
            decision.softened,
            ruling.steps,
            str(decision.why) if decision.why else "",
        )

    def dress(self, cut: Cut, listing: Listing | None) -> Verdict:
        """Make the verdict on one listing from the ruling on all that look like it."""
        action, rule, policy, version, found, offered, own, message, softened, steps, why = cut
        service = listing.service if listing else None
        if own and service:
            first = self._first_choice.get(service)
            offered = first[0] if first else self._choose(service)
        # In the order of Verdict's fields. tuple.__new__ takes half the time of Verdict(…).
        fields = (
            action, rule, policy, version, service, listing, found, offered,
            message, softened, steps, why, False, None, None,
        )  # fmt: skip
        return tuple.__new__(Verdict, fields)

    def _choose(self, service: Service) -> Service | None:
        """The first of the service's own alternatives that is sovereign."""
        found = (self._services.get(name) for name in service.alternatives)
        choice = next(filter(self._is_sovereign, found), None)
        self._first_choice[service] = (choice,)
        return choice

    def _is_sovereign(self, service: Service | None) -> bool:
        if service is None or not service.url:
            return False
        return self._policy.trust_zone.issuperset(control_of(service.operator))
