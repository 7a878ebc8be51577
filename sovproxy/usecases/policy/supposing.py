"""What policies would do with connections that were only counted: host and address are not known.

Every destination that the record leaves open is supposed in turn and put to the same ladder that
judges traffic. If the policies agree on all of them, the answer is certain; if not, the record
cannot tell, and why is said. A connection is taken for the service that it was recorded as.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sovproxy.decide import ladder
from sovproxy.decide.catalogue import HostIndex
from sovproxy.decide.facts import Place
from sovproxy.decide.jurisdiction import assess, control_of
from sovproxy.decide.question import Question, Reach
from sovproxy.decide.words import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.catalogue import Catalogue
    from sovproxy.decide.facts import Listing, Operator
    from sovproxy.decide.policy import Policy
    from sovproxy.store.sorts import Sort

MAX_HOSTS: Final = 200
"""Host patterns of both policies together; with more, nothing is told of what was counted."""

INTERNAL: Final = "internal"
_OWN: Final = "\0internal"


class Untold(StrEnum):
    """Why a record cannot tell what a draft would do: it hangs on the host, on internal or refused
    networks, on how well a fact is established, on the operator of a shared host, or on the rest
    of the time."""

    HOSTS = "hosts"
    NETWORKS = "networks"
    VERIFICATION = "verification"
    OPERATOR = "operator"
    TIME = "time"


class Side(NamedTuple):
    """What one policy says: the action and the rule."""

    action: Action
    rule: str


class Pair(NamedTuple):
    """What the policy in force and the draft say of the same connection."""

    now: Side
    draft: Side


class Look(NamedTuple):
    """All of a counted sort that rules can see."""

    group: str
    service: str
    control: str
    location: str
    asn: int
    internal: bool


def look_of(sort: Sort) -> Look:
    """What rules can see of a sort."""
    internal = sort.rule == INTERNAL
    return Look(sort.group, sort.service, sort.control, sort.location, sort.asn, internal)


@dataclass(frozen=True, slots=True)
class _Names:
    """Marks that one supposed host has in both policies: the patterns of rules that it fits."""

    now: frozenset[str] = frozenset()
    draft: frozenset[str] = frozenset()


class Supposer:
    """Compares two policies on what was only counted."""

    def __init__(
        self, atlas: Atlas, catalogue: Catalogue, policies: tuple[Policy, Policy], at: float
    ) -> None:
        self._atlas = atlas
        self._catalogue = catalogue
        self._policies = policies
        self._at = at
        self._memo: dict[Look, Pair | Untold] = {}
        now, draft = policies
        self._same_networks = (
            now.internal_networks == draft.internal_networks
            and now.refused_networks == draft.refused_networks
        )
        self._same_internal = self._same_networks and now.internal_domains == draft.internal_domains
        self._marks = tuple(HostIndex(_patterns(policy)) for policy in policies)
        self._samples = sorted(
            {_sample(name) for policy in policies for name, _ in _patterns(policy)}
        )
        self._by_service, self._shared = _listings(atlas)

    def pair(self, look: Look) -> Pair | Untold:
        """What both policies say of a sort, or why that cannot be told."""
        found = self._memo.get(look)
        if found is None:
            found = self._memo[look] = self._suppose(look)
        return found

    def _suppose(self, look: Look) -> Pair | Untold:
        if look.internal:
            side = Side(Action.ALLOW, INTERNAL)
            return Pair(side, side) if self._same_internal else Untold.NETWORKS
        if not self._same_networks:
            return Untold.NETWORKS
        if len(self._samples) > MAX_HOSTS:
            return Untold.HOSTS
        listings = self._candidates(look)
        if not listings:
            return Untold.OPERATOR
        names = list(self._names(look.service))
        pairs = {(item, name): self._judge(look, item, name) for item in listings for name in names}
        return _told(pairs, names[0], listings[0])

    def _candidates(self, look: Look) -> list[Listing | None]:
        """Every listing that the record may stand for."""
        if look.service:
            return list(self._by_service.get(look.service, ()))
        here = self._atlas.operators_by_asn.get(look.asn)
        unlisted = [None] if _joined(here) == look.control else []
        return unlisted + [
            item for item in self._shared if _joined(item.operator, here) == look.control
        ]

    def _names(self, service: str) -> Iterator[_Names]:
        """Hosts that the record may stand for, as far as policies tell them apart."""
        yield _Names()
        hosts = {
            *self._samples,
            *(
                _sample(item.pattern)
                for item in self._by_service.get(service, ())
                if item.kind == "host"
            ),
        }
        seen = {_Names()}
        for host in sorted(hosts):
            listing = self._catalogue.hosts.find(host)
            found = listing.service.id if listing and listing.service else ""
            names = _Names(*(frozenset().union(*index.find_all(host)) for index in self._marks))
            if found == service and names not in seen and _OWN not in names.now:
                seen.add(names)
                yield names

    def _judge(self, look: Look, listing: Listing | None, names: _Names) -> Pair:
        operator = self._atlas.operators_by_asn.get(look.asn)
        place = Place(country=look.location, asn=look.asn, operator=operator)
        sides = zip(self._policies, (names.now, names.draft), strict=True)
        return Pair(*(self._side(policy, look, listing, place, marks) for policy, marks in sides))

    def _side(
        self,
        policy: Policy,
        look: Look,
        listing: Listing | None,
        place: Place,
        marks: frozenset[str],
    ) -> Side:
        question = Question(
            listing=listing,
            place=place,
            jurisdiction=assess(listing, place, policy.trust_zone, self._catalogue.powers),
            reach=Reach.OUTSIDE,
            internal_name=_OWN in marks and listing is None,
            marks=marks - {_OWN},
            group=look.group,
            now=self._at,
        )
        decision = ladder.climb(question, policy).decision
        return Side(decision.action, decision.rule)


def _told(
    pairs: dict[tuple[Listing | None, _Names], Pair], plain: _Names, first: Listing | None
) -> Pair | Untold:
    """The pair that holds for all, or what it hangs on."""
    actions = {(pair.now.action, pair.draft.action) for pair in pairs.values()}
    unchanged = all(now is draft for now, draft in actions)
    if len(actions) == 1 or unchanged:
        return pairs[first, plain]
    without_names = {
        (pair.now.action, pair.draft.action) for (_, name), pair in pairs.items() if name == plain
    }
    if len(without_names) == 1:
        return Untold.HOSTS
    return Untold.VERIFICATION if first and first.service else Untold.OPERATOR


def _patterns(policy: Policy) -> list[tuple[str, frozenset[str]]]:
    """The policy's own host patterns, each with the mark that a host fitting it has."""
    own = [(form, _OWN) for name in policy.internal_domains for form in (name, f"*.{name}")]
    named = [(host, host) for rule in policy.rules for host in rule.condition.hosts]
    marks: dict[str, frozenset[str]] = {}
    for pattern, mark in own + named:
        marks[pattern] = marks.get(pattern, frozenset()) | {mark}
    return list(marks.items())


def _sample(pattern: str) -> str:
    """A host that fits a pattern."""
    return f"supposed.{pattern[2:]}" if pattern.startswith("*.") else pattern


def _listings(atlas: Atlas) -> tuple[dict[str, list[Listing]], list[Listing]]:
    """Listings that rules can tell apart, by service, and those of shared hosts."""
    by_service: dict[str, dict[object, Listing]] = {}
    shared: dict[object, Listing] = {}
    for listing in (*atlas.listings, *(item.listing for item in atlas.port_listings)):
        if listing.service:
            found = by_service.setdefault(listing.service.id, {})
            found.setdefault(listing.verification, listing)
        else:
            shared.setdefault((listing.operator, listing.verification), listing)
    return {key: list(found.values()) for key, found in by_service.items()}, list(shared.values())


def _joined(*operators: Operator | None) -> str:
    return ",".join(control_of(*operators))


def weigh(found: Iterable[tuple[Sort, int]]) -> dict[tuple[Look, str, str], int]:
    """Add numbers of sorts up by look, recorded action and recorded rule."""
    result: dict[tuple[Look, str, str], int] = {}
    for sort, number in found:
        key = (look_of(sort), sort.action, sort.rule)
        result[key] = result.get(key, 0) + number
    return result
