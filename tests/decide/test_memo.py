"""What was asked before never changes an answer: the memo is only ever faster."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sovproxy.decide import decider as module
from sovproxy.decide.decider import Decider
from sovproxy.decide.destination import ChosenBy, Destination
from sovproxy.decide.facts import NOWHERE
from sovproxy.decide.policy import Phase
from sovproxy.decide.words import Action, Verification
from tests.decide.factories import (
    by_client,
    by_node,
    catalogue,
    decider,
    listing,
    operator,
    place,
    policy,
    power,
    rule,
    service,
)

US, FR = operator("Us Corp"), operator("Fr SA", "FR")
SERVICES = [
    service(
        f"{name}-{kind}", category, run_by, stance, url="https://x.example", alternatives=offers
    )
    for name in ("one", "two", "three")
    for kind, category, run_by, stance, offers in (
        (0, "video", US, "replace", ("one-3",)),
        (1, "video", US, "replace", ()),
        (2, "chat", US, "replace", ("one-1", "two-3")),
        (3, "video", FR, "keep", ()),
    )
]
ENTRIES = [*SERVICES, None]
LEVELS = list(Verification)
LISTINGS = [listing(f"AS{64500 + n}", SERVICES[n], exclusive=bool(n % 2)) for n in range(6)]
for number, entry in enumerate(ENTRIES):
    for rank, level in enumerate(LEVELS):
        fields = {"operator": entry.operator if entry else US, "level": level}
        LISTINGS.append(listing(f"{level}.host-{number}.example", entry, **fields))
        fields["exclusive"] = bool((number + rank) % 2)
        LISTINGS.append(listing(f"10.{number}.{rank * 64}.0/18", entry, **fields))
NETWORKS = ((0, None), (64500, US), (64501, FR), (64503, None), (64999, US), (65000, US))
PLACES = [NOWHERE]
PLACES += [place(country, *network) for country in ("", "FR", "US") for network in NETWORKS]

BOOK = catalogue(*LISTINGS, powers=[power(), power("NIL", "CN")])
PHASES = (Phase(10.0, Action.WARN), Phase(20.0, Action.BLOCK))
POLICY = policy(
    rule(Action.ALLOW, name="named", services={"one-0"}, groups={"staff"}),
    rule(Action.WARN, name="host", hosts={"verified.host-1.example", "*.nobody.example"}),
    rule(
        name="chat",
        phases=(Phase(10.0, Action.WARN), Phase(20.0, Action.BLOCK)),
        categories={"chat"},
    ),
    rule(name="recalled", verification={"recalled"}, stances={"replace"}, trust_recalled=True),
    rule(name="video", categories={"video"}, control={"US"}),
    rule(Action.ALLOW, name="keep", stances={"keep"}, location={"FR", "DE"}),
    rule(Action.WARN, name="network", networks={65000}),
    rule(Action.OBSERVE, name="abroad", standing={"abroad"}, groups={"staff"}),
    internal_domains=("intra.example",),
    internal_networks=("192.168.0.0/16", "fd00::/8"),
    refused_networks=("127.0.0.0/8", "192.168.1.0/24"),
)

HOSTS = st.one_of(
    st.just(""),
    st.sampled_from(["intra.example", "a.intra.example", "a.nobody.example", "unknown.example"]),
    st.builds("{}.host-{}.example".format, st.sampled_from(LEVELS), st.integers(0, len(ENTRIES))),
)
ADDRESSES = st.one_of(
    st.just(""),
    st.sampled_from(["127.0.0.1", "192.168.1.1", "192.168.2.1", "fd00::1", "::1", "2001:db8::1"]),
    st.builds(
        "10.{}.{}.1".format, st.integers(0, len(ENTRIES)), st.sampled_from([0, 64, 128, 192])
    ),
)
QUESTIONS = st.tuples(
    st.builds(Destination, HOSTS, ADDRESSES, st.just(443), st.sampled_from(ChosenBy)),
    st.sampled_from(PLACES),
    st.sampled_from([0.0, 10.0, 15.0, 25.0]),
    st.sampled_from(["", "staff", "guests"]),
)
LONG_USED = Decider(BOOK, POLICY)


def told(verdict):
    """A verdict with its jurisdiction by value, to compare across deciders."""
    found = verdict.jurisdiction
    values = (found.standing, found.operator, found.place, found.control, found.powers)
    return (*verdict._replace(jurisdiction=None), *values)


@settings(max_examples=400)
@given(QUESTIONS)
def test_a_fresh_decider_and_a_long_used_one_agree(question):
    assert told(LONG_USED.decide(*question)) == told(Decider(BOOK, POLICY).decide(*question))


@settings(max_examples=60)
@given(st.lists(QUESTIONS, min_size=2, max_size=40))
def test_the_order_of_questions_changes_no_answer(questions):
    forwards, backwards = Decider(BOOK, POLICY), Decider(BOOK, POLICY)
    first = [told(forwards.decide(*question)) for question in questions]
    second = [told(backwards.decide(*question)) for question in reversed(questions)]
    assert first == second[::-1]
    assert first == [told(forwards.decide(*question)) for question in questions]


@pytest.fixture
def small_memo(monkeypatch):
    monkeypatch.setattr(module, "MEMO_LIMIT", 7)
    return 7


def test_answers_stay_the_same_past_the_limit_of_the_memo(small_memo):
    judged = Decider(BOOK, POLICY)
    questions = [
        (Destination(f"verified.host-{number}.example", "", 443), where, 0.0, "")
        for number in range(len(ENTRIES))
        for where in PLACES
    ]
    for _ in range(2):
        for question in questions:
            assert told(judged.decide(*question)) == told(LONG_USED.decide(*question))
            assert len(judged._memo) <= small_memo
            assert len(judged._findings) <= small_memo


def test_a_recalled_name_of_one_service_says_nothing_of_another_in_the_same_prefix():
    """Two services that look alike to every rule, and a verified prefix of one of them."""
    mine, other = service("Mine", run_by=US), service("Other", run_by=US)
    names = [listing(f"{of.id}.example", of, Verification.RECALLED) for of in (mine, other)]
    judged = decider(rule(control={"US"}), listings=[*names, listing("10.0.0.0/8", mine)])
    for host in ("mine.example", "other.example", "mine.example"):
        assert judged.decide(by_client(host, "10.0.0.1")).action is Action.BLOCK


def test_services_that_look_alike_are_told_apart_in_every_verdict():
    services = [service(name, run_by=US) for name in ("One", "Two", "Three")]
    claims = [listing(f"{of.id}.example", of) for of in services]
    judged = decider(rule(control={"US"}), rule(services={"absent"}), listings=claims)
    for of, claim in zip(services, claims, strict=True):
        verdict = judged.decide(Destination(claim.pattern))
        assert (verdict.service, verdict.listing) == (of, claim)


def test_what_rules_can_see_of_a_listing_is_told_apart_in_every_order():
    """Stance and level of verification change the answer, though all else is equal."""
    keep, drop = service("Keep", run_by=US, stance="keep"), service("Drop", run_by=US)
    wanted = {listing("keep.example", keep): Action.ALLOW}
    for level, action in zip(LEVELS, (Action.BLOCK, Action.BLOCK, Action.WARN), strict=True):
        wanted[listing(f"{level}.drop.example", drop, level)] = action
    rules = (rule(Action.ALLOW, stances={"keep"}), rule(control={"US"}))
    for claims in (list(wanted), list(wanted)[::-1]):
        judged = decider(*rules, listings=claims)
        for claim in claims:
            assert judged.decide(Destination(claim.pattern)).action is wanted[claim]


def test_places_that_look_alike_are_told_apart_in_every_verdict():
    judged = decider(rule(location={"US"}))
    for asn in (64500, 64501, 64500):
        where = place("US", asn, organisation=f"Network {asn}")
        assert judged.decide(by_node("a.example", "192.0.2.1"), where).jurisdiction.place is where
