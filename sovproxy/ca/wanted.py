"""Which names a policy may answer for with a prompt: what the issuing CAs have to permit, no more.

A name is wanted when some rule may stop it, now or in a later phase, for some group, wherever its
server stands. Names that a rule could stop only by their address cannot be known beforehand; they
are not wanted, and get a refused CONNECT.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from sovproxy.ca.names import Scope, is_below, is_name, names_above, shortest
from sovproxy.decide.facts import NOWHERE
from sovproxy.decide.jurisdiction import assess
from sovproxy.decide.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sovproxy.decide.facts import Listing, Power
    from sovproxy.decide.policy import Condition, Policy, Rule

MAX_NAMES = 24
"""Names in one issuing CA; a service with more gets several. Every answer carries one of them."""

OWN_RULES = "rules' hosts"
SHARED = "shared hosts"
"""Labels for names that are no service's."""

_STOPS = frozenset({Action.WARN, Action.BLOCK})
_ANY = "*."
_REPLACEABLE = frozenset({"replace", "choose", "watch"})
"""Stances of services that a policy may want to stop."""


class Fit(IntEnum):
    """Whether a condition fits a name of which the address and the client are not known."""

    NO = 0
    PERHAPS = 1
    SURE = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """The scopes to be permitted; `left_out` are patterns that no certificate should name.

    `by_address` are the ids of rules that may stop hosts which neither the catalogue nor a rule
    names: those get no prompt. `never` are names that are left alone where what passes is to be
    decrypted as well; None where it is not.
    """

    scopes: tuple[Scope, ...]
    left_out: tuple[str, ...] = ()
    by_address: tuple[str, ...] = ()
    never: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """All base names, of all scopes."""
        return frozenset(name for scope in self.scopes for name in scope.permitted)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern of the catalogue or of rules: `listing` is None for one that only rules name."""

    text: str
    listing: Listing | None
    marks: frozenset[str]

    @property
    def base(self) -> str:
        return self.text.removeprefix(_ANY)

    @property
    def likeness(self) -> tuple[object, ...]:
        """All that rules can see of it."""
        found = self.listing
        seen = (found.service, found.operator, found.verification) if found else ()
        return (*seen, self.marks)

    @property
    def label(self) -> str:
        if self.listing is None:
            return OWN_RULES
        return self.listing.service.name if self.listing.service else SHARED


def find_wanted(
    policy: Policy,
    listings: Iterable[Listing],
    powers: Mapping[str, tuple[Power, ...]],
    now: float,
) -> Wanted:
    """Everything that `policy` may stop by name from `now` (Unix seconds) on."""
    patterns = list(_patterns(policy, listings))
    stopped = _stopped(policy, patterns, powers, now) if policy.inspection != "none" else set()
    bases = {item.base for item in patterns if item.text in stopped}
    good = frozenset(base for base in bases if is_name(base))
    unknown = _Pattern("", None, frozenset())
    return Wanted(
        scopes=tuple(_scopes([item for item in patterns if item.text in stopped], good, patterns)),
        left_out=tuple(sorted(bases - good)),
        by_address=tuple(_stopping(policy, unknown, powers, now)),
    )


def _patterns(policy: Policy, listings: Iterable[Listing]) -> Iterator[_Pattern]:
    """Every host pattern once, with the marks of the rules' own patterns that it lies under."""
    own = {host for rule in policy.rules for host in rule.condition.hosts}
    internal = frozenset(policy.internal_domains)
    by_text = {item.pattern: item for item in listings if item.kind == "host"}
    for text in dict.fromkeys((*by_text, *sorted(own))):
        base = text.removeprefix(_ANY)
        if not is_below(base, internal):
            yield _Pattern(text, _listing_of(text, by_text), frozenset(_marks(text, own)))


def _listing_of(text: str, by_text: Mapping[str, Listing]) -> Listing | None:
    """How the catalogue lists the names that a pattern stands for, if it does."""
    above = (f"{_ANY}{name}" for name in names_above(text.removeprefix(_ANY).partition(".")[2]))
    candidates = (text, *above)
    return next((by_text[name] for name in candidates if name in by_text), None)


def _marks(text: str, own: set[str]) -> Iterator[str]:
    if text in own:
        yield text
    for name in names_above(text.removeprefix(_ANY).partition(".")[2]):
        if f"{_ANY}{name}" in own:
            yield f"{_ANY}{name}"


def _stopped(
    policy: Policy, patterns: list[_Pattern], powers: Mapping[str, tuple[Power, ...]], now: float
) -> set[str]:
    """The texts of the patterns that may be stopped. Patterns that look alike are judged once."""
    answers: dict[object, bool] = {}
    stopped = set()
    for item in patterns:
        if item.likeness not in answers:
            rules = _stopping(policy, item, powers, now)
            answers[item.likeness] = next(rules, None) is not None
        if answers[item.likeness]:
            stopped.add(item.text)
    return stopped


def _stopping(
    policy: Policy, item: _Pattern, powers: Mapping[str, tuple[Power, ...]], now: float
) -> Iterator[str]:
    """The ids of the rules that may stop it, in their order; `default` when that one does."""
    for rule in policy.rules:
        fit = _fit(rule.condition, item, policy.trust_zone, powers)
        actions = _actions_from(rule, now)
        if fit and not _STOPS.isdisjoint(actions):
            yield rule.id
        if fit is Fit.SURE and rule.action_at(now) is not None:
            return
    if policy.default in _STOPS:
        yield "default"


def _actions_from(rule: Rule, now: float) -> set[Action]:
    later = {phase.action for phase in rule.phases if phase.start > now}
    present = rule.action_at(now)
    return later | {present} if present else later


def _fit(
    condition: Condition,
    item: _Pattern,
    trust_zone: frozenset[str],
    powers: Mapping[str, tuple[Power, ...]],
) -> Fit:
    """Compare part by part; what hangs on the address or on the client is never more than perhaps.

    An operator of the network counts beside the listed one, so that control can only grow.
    """
    if not _fits_listing(condition, item):
        return Fit.NO
    if any((condition.groups, condition.location, condition.networks, condition.standing)):
        return Fit.PERHAPS
    return _fit_operator(condition, item, trust_zone, powers)


def _fits_listing(condition: Condition, item: _Pattern) -> bool:
    listing = item.listing
    service = listing.service if listing else None
    found = (
        (condition.services, {service.id} if service else set()),
        (condition.categories, {service.category} if service else set()),
        (condition.stances, {service.stance} if service else set()),
        (condition.verification, {listing.verification} if listing else set()),
        (condition.hosts, item.marks),
    )
    return all(not wanted or not wanted.isdisjoint(have) for wanted, have in found)


def _fit_operator(
    condition: Condition,
    item: _Pattern,
    trust_zone: frozenset[str],
    powers: Mapping[str, tuple[Power, ...]],
) -> Fit:
    found = assess(item.listing, NOWHERE, trust_zone, powers)
    chain = found.operator.chain if found.operator else ()
    if condition.operators and found.operator and condition.operators.isdisjoint(chain):
        return Fit.NO
    parts = (
        (condition.operators, chain),
        (condition.control, found.control),
        (condition.powers, tuple(power.id for power in found.powers)),
    )
    sure = all(not wanted or not wanted.isdisjoint(have) for wanted, have in parts)
    return Fit.SURE if sure else Fit.PERHAPS


def _scopes(
    stopped: list[_Pattern], good: frozenset[str], every: list[_Pattern]
) -> Iterator[Scope]:
    """One scope or more per service, each with what lies below its names and is never stopped."""
    spared = _spared(stopped, every)
    by_label: dict[str, set[str]] = {}
    for item in stopped:
        if item.base in good:
            by_label.setdefault(item.label, set()).add(item.base)
    for label, names in sorted(by_label.items()):
        ordered = sorted(shortest(names), key=_from_the_top)
        for start in range(0, len(ordered), MAX_NAMES):
            permitted = tuple(ordered[start : start + MAX_NAMES])
            bases = frozenset(permitted)
            excluded = [name for name in spared if is_below(name, bases)]
            yield Scope(label, permitted, tuple(sorted(excluded, key=_from_the_top)))


def _spared(stopped: list[_Pattern], every: list[_Pattern]) -> frozenset[str]:
    """Names that are never stopped, nor anything below them, though a name above may be."""
    stopping = {item.text for item in stopped}
    bases = frozenset(item.base for item in stopped)
    free = {item.text for item in every} - stopping
    above_stopped = {name for item in stopped for name in names_above(item.base)}
    spared = (
        item.base
        for item in every
        if item.text == f"{_ANY}{item.base}" and free.issuperset((item.base, item.text))
    )
    return shortest(
        name
        for name in spared
        if name not in above_stopped and is_below(name, bases) and is_name(name)
    )


def _from_the_top(name: str) -> list[str]:
    return name.split(".")[::-1]


def catalogue_bounds(listings: Iterable[Listing], wanted: Wanted) -> Scope:
    """Every name that some policy over this catalogue could want: the bounds of a root of our own.

    Services that are to be kept, and hosts that many share, are no part of it unless they are
    wanted now.
    """
    names = {
        item.pattern.removeprefix(_ANY)
        for item in listings
        if item.kind == "host" and item.service and item.service.stance in _REPLACEABLE
    }
    found = shortest(filter(is_name, names | wanted.names))
    return Scope("catalogue", tuple(sorted(found, key=_from_the_top)))
