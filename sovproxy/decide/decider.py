"""The compiled decider: one catalogue and one policy, ready to judge destinations fast.

A verdict depends only on how the catalogue lists a destination, where the databases place it, the
client's group and the policy's phase. There are few such combinations, so each is judged once by
the ladder and remembered; there is no second path that could differ. What is remembered is cut to
the form of a verdict, and dressed anew with each listing, of which there may be a million.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from sovproxy.decide import ladder
from sovproxy.decide.catalogue import (
    ADDRESSES_END,
    Catalogue,
    HostIndex,
    PrefixIndex,
    address_number,
    head_cut_at,
    heads_between,
)
from sovproxy.decide.destination import ChosenBy, Destination, Unreadable
from sovproxy.decide.facts import NOWHERE, Listing, Operator, Place, PortListing, Service
from sovproxy.decide.jurisdiction import assess, operator_of
from sovproxy.decide.question import Question, Reach
from sovproxy.decide.verdict import Verdict
from sovproxy.decide.words import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.decide.policy import Policy

MEMO_LIMIT = 50_000
"""Answers remembered at most (about 0.5 kB each); past it the memo starts anew."""

_INTERNAL = "\0internal"
_SEARCH = -1
_NO_MARKS: frozenset[str] = frozenset()
_CLIENT = ChosenBy.CLIENT
_SET_APART = (".internal", ".local", ".home.arpa")
"""Ends of names that nobody can own: ICANN's resolution 2024.07.29.06, RFC 6762, RFC 8375."""


class _Key(NamedTuple):
    """All that an answer depends on.

    `likeness` numbers what rules can see of the listing by name, `span` what an address alone
    tells; 0 is none. `port` is 0 where it makes no difference. `outer` is true of a name that
    anybody may own at an internal address.
    """

    place: Place
    likeness: int
    span: int
    port: int
    group: str
    nameless: bool
    chosen_by: ChosenBy
    outer: bool
    phase: int
    marks: frozenset[str]


class _Finding(NamedTuple):
    """The ruling that counts, on the listing `by_address`, or `by_name` on the one by name."""

    ruling: ladder.Ruling
    by_name: bool
    by_address: Listing | None


class Decider:
    """Judges destinations by one policy. Safe to share between threads; replaced, never changed."""

    def __init__(self, catalogue: Catalogue, policy: Policy) -> None:
        self.catalogue = catalogue
        self.policy = policy
        self._find_host = catalogue.hosts.find
        self._turning_points = policy.turning_points
        self._marks = HostIndex(_own_patterns(policy))
        self._has_marks = bool(self._marks)
        self._spans = _Spans(catalogue, _reaches(policy))
        self._find_span = self._spans.find
        self._heeding_ports = self._spans.heeding_ports
        self._inner_spans = self._spans.inner
        self._find_likeness = _Likenesses(policy).find
        self._sees_networks = any(rule.condition.networks for rule in policy.rules)
        self._tailor = ladder.Tailor(policy, catalogue.services)
        self._dress = self._tailor.dress
        self._memo: dict[tuple[object, ...], ladder.Cut | Verdict] = {}
        self._by_name: dict[tuple[object, ...], ladder.Cut | Verdict] = {}
        self._findings: dict[tuple[object, ...], _Finding] = {}

    def decide(
        self,
        destination: Destination | Unreadable,
        place: Place = NOWHERE,
        now: float = 0.0,
        group: str = "",
    ) -> Verdict:
        """Judge a destination that the databases put at `place`, at `now` (Unix seconds).

        `group` is the client's group in the policy, or empty.
        """
        if isinstance(destination, Unreadable):
            return ladder.unreadable(destination, self.policy)
        host, address, port, chosen_by = destination
        by_name = self._find_host(host) if host else None
        if not address and not self._has_marks:
            return self._decide_by_name(by_name, place, now, group)
        span = self._find_span(address) if address else 0
        key = (
            place,
            self._find_likeness(by_name) if by_name else 0,
            span,
            port if span in self._heeding_ports else 0,
            group,
            not host,
            chosen_by,
            span in self._inner_spans and chosen_by is not _CLIENT and _is_outer(host),
            bisect_right(self._turning_points, now),
            self._find_marks(host) if self._has_marks else _NO_MARKS,
        )
        found = self._memo.get(key) or self._judge(_Key(*key), by_name, now)
        return found if isinstance(found, Verdict) else self._dress(found, by_name)

    def _decide_by_name(
        self, by_name: Listing | None, place: Place, now: float, group: str
    ) -> Verdict:
        """Judge while no address is known: half of all questions, with a shorter key."""
        phase = bisect_right(self._turning_points, now)
        likeness = self._find_likeness(by_name) if by_name else 0
        short = (likeness, phase, group, place)
        found = self._by_name.get(short)
        if found is None:
            key = _Key(
                place, likeness, 0, 0, group, False, ChosenBy.NOBODY, False, phase, _NO_MARKS
            )
            found = self._judge(key, by_name, now)
            _remember(self._by_name, short, found)
        return found if isinstance(found, Verdict) else self._dress(found, by_name)

    def _find_marks(self, host: str) -> frozenset[str]:
        return _NO_MARKS.union(*self._marks.find_all(host)) if host else _NO_MARKS

    def _judge(self, key: _Key, by_name: Listing | None, now: float) -> ladder.Cut | Verdict:
        """Judge what is not in the memo: for all alike, or to the full if there is but one."""
        alike = (self._look(key.place), key[1:])
        finding = self._findings.get(alike)
        if finding is None:
            finding = self._find(key, by_name, now)
            _remember(self._findings, alike, finding)
        cut = self._tailor.cut(finding.ruling, key.place)
        kept = cut if finding.by_name else self._dress(cut, finding.by_address)
        _remember(self._memo, tuple(key), kept)
        return kept

    def _look(self, place: Place) -> tuple[object, ...]:
        """What rules, and their trace, can see of a place: there are thousands of networks."""
        seen = self._sees_networks or place.asn in self.catalogue.networks
        return (place.country, place.operator, place.asn if seen else 0)

    def _find(self, key: _Key, by_name: Listing | None, now: float) -> _Finding:
        """Climb the ladder for everything that the destination may be; the strictest counts."""
        found = [
            (ladder.climb(self._question(listing, key, now), self.policy), listing)
            for listing in self._identities(key, by_name)
        ]
        ruling, listing = max(found, key=lambda pair: pair[0].decision.action.strictness)
        if listing is not None and listing is by_name:
            return _Finding(ruling, by_name=True, by_address=None)
        return _Finding(ruling, by_name=False, by_address=listing)

    def _identities(self, key: _Key, by_name: Listing | None) -> tuple[Listing | None, ...]:
        """What the destination may be. When name and address disagree, both are judged.

        Where the node itself resolved the name, a name that is known to be something else outranks
        a prefix that several products share; where the client chose the address, the address
        counts.
        """
        by_address = self._spans.listing(key.span, key.port) or self._by_network(key, by_name)
        if by_address is None or by_name is None:
            return (by_name or by_address,)
        if key.chosen_by is ChosenBy.NODE and not by_address.exclusive:
            return (by_name,)
        return (by_name, by_address)

    def _by_network(self, key: _Key, by_name: Listing | None) -> Listing | None:
        """The service whose operator has the address's network for itself, where that counts.

        An address is taken for that service when it stands alone, or when the client chose it and
        gave a name that nobody knows, or that belongs to somebody who has no business there.
        """
        if not (key.nameless or key.chosen_by is ChosenBy.CLIENT):
            return None
        listing = self.catalogue.networks.get(key.place.asn)
        if listing is None or by_name is None:
            return listing
        return listing if listing.exclusive and not _same_house(listing, by_name) else None

    def _question(self, listing: Listing | None, key: _Key, now: float) -> Question:
        inside = key.chosen_by is not ChosenBy.CLIENT and listing is None and _INTERNAL in key.marks
        policy, powers = self.policy, self.catalogue.powers
        return Question(
            listing=listing,
            place=key.place,
            jurisdiction=assess(listing, key.place, policy.trust_zone, powers),
            reach=self._spans.told[key.span].reach,
            internal_name=inside,
            outer_name=key.outer and listing is None,
            marks=key.marks - {_INTERNAL},
            group=key.group,
            now=now,
        )


class _Likenesses:
    """Numbers for what rules can see of a listing: listings that look alike get the same ruling.

    Each service (or operator of a shared host) has a number for each level of verification.
    """

    def __init__(self, policy: Policy) -> None:
        conditions = [rule.condition for rule in policy.rules]
        self._named = frozenset[str]().union(*(item.services for item in conditions))
        self._firsts: dict[Service | Operator | None, int] = {}
        self._by_look: dict[tuple[object, ...], int] = {}
        self._numbers = count(1, len(Verification))

    def find(self, listing: Listing) -> int:
        """The number of the listing's likeness, from 1."""
        entry = listing.service or listing.operator
        first = self._firsts.get(entry) or self._new(entry)
        level = listing.verification  # compared by identity: hashing an enumeration is slow
        if level is Verification.VERIFIED:
            return first
        return first + (1 if level is Verification.MIXED else 2)

    def _new(self, entry: Service | Operator | None) -> int:
        look: tuple[object, ...] = (entry,)
        if isinstance(entry, Service):
            named = entry.id if entry.id in self._named else ""
            look = (named, entry.category, entry.stance, entry.operator)
        # A counter, and not the length of the dictionary: threads never get the same number.
        number = self._by_look.setdefault(look, next(self._numbers))
        self._firsts[entry] = number
        return number


class _Told(NamedTuple):
    """What an address alone tells: its listing, its reach, and what ports would tell."""

    listing: Listing | None
    reach: Reach
    ports: tuple[PortListing, ...]


class _Spans:
    """The catalogue's prefixes and the policy's networks as one list of disjoint intervals.

    Most addresses are told by their head alone, which is the first 16 bits as text (`170.114`,
    `2a00`): those heads that lie in one interval are in a dictionary. The others are searched for.
    """

    def __init__(self, catalogue: Catalogue, reaches: PrefixIndex[Reach]) -> None:
        prefixes, ports = catalogue.prefixes, catalogue.ports
        self._starts = sorted({0, *prefixes.starts, *ports.starts, *reaches.starts})
        self._numbers: list[int] = []
        numbers = {_Told(None, Reach.OUTSIDE, ()): 0}
        for at in self._starts:
            told = _Told(prefixes.find(at), reaches.find(at) or Reach.OUTSIDE, ports.find(at))
            numbers.setdefault(told, len(numbers))
            self._numbers.append(numbers[told])
        self.told = list(numbers)
        self.inner = {n for told, n in numbers.items() if told.reach is Reach.INTERNAL}
        self.heeding_ports = {number for told, number in numbers.items() if told.ports}
        self._by_head = dict(self._heads())

    def _heads(self) -> Iterator[tuple[str, int]]:
        """Heads that lie in one interval other than 0, and those that are cut, as _SEARCH."""
        ends = [*self._starts[1:], ADDRESSES_END]
        for start, end, number in zip(self._starts, ends, self._numbers, strict=True):
            if number:
                yield from ((head, number) for head in heads_between(start, end))
        for start in self._starts:
            if head := head_cut_at(start):
                yield head, _SEARCH
        yield "", _SEARCH  # `::1` does not show its first 16 bits

    def listing(self, span: int, port: int) -> Listing | None:
        """The listing at a span: the prefix's, or that of a prefix which is one on this port."""
        told = self.told[span]
        on_port = (item.listing for item in told.ports if item.first <= port <= item.last)
        return told.listing or next(on_port, None)

    def find(self, address: str) -> int:
        """The number of what a canonical address tells; 0 for nothing."""
        head = address.partition(":")[0] if ":" in address else address.rsplit(".", 2)[0]
        number = self._by_head.get(head, 0)
        return self._search(address) if number == _SEARCH else number

    def _search(self, address: str) -> int:
        return self._numbers[bisect_right(self._starts, address_number(address)) - 1]


def _remember[T](memo: dict[tuple[object, ...], T], key: tuple[object, ...], value: T) -> None:
    if len(memo) >= MEMO_LIMIT:
        memo.clear()
    memo[key] = value


def _is_outer(host: str) -> bool:
    """Whether a name is one that anybody may own: neither a single label nor set apart."""
    return "." in host and not host.endswith(_SET_APART)


def _same_house(one: Listing, other: Listing) -> bool:
    """Whether their operators are the same or have a parent in common."""
    first, second = operator_of(one), operator_of(other)
    return bool(first and second and not set(first.chain).isdisjoint(second.chain))


def _own_patterns(policy: Policy) -> list[tuple[str, frozenset[str]]]:
    """The policy's own host patterns: internal domains (with all below them), and rules' hosts."""
    marks: dict[str, set[str]] = {}
    for name in policy.internal_domains:
        for pattern in (name, f"*.{name}"):
            marks.setdefault(pattern, set()).add(_INTERNAL)
    for rule in policy.rules:
        for host in rule.condition.hosts:
            marks.setdefault(host, set()).add(host)
    return [(pattern, frozenset(found)) for pattern, found in marks.items()]


def _reaches(policy: Policy) -> PrefixIndex[Reach]:
    refused = [(prefix, Reach.REFUSED) for prefix in policy.refused_networks]
    inside = [(prefix, Reach.INTERNAL) for prefix in policy.internal_networks]
    return PrefixIndex([*refused, *inside])
