"""The ladder, rung by rung: what decides, in which order, and what is said about it."""

from __future__ import annotations

import pytest

from sovproxy.decide.destination import Destination, Unreadable
from sovproxy.decide.policy import Phase
from sovproxy.decide.verdict import strictest
from sovproxy.decide.words import Action, Verification
from tests.decide.factories import (
    by_client,
    by_node,
    decider,
    listing,
    operator,
    place,
    power,
    rule,
    service,
)

ALLOW, OBSERVE, WARN, BLOCK = Action
ZOOM = service()
HOST = listing("*.zoom.us", ZOOM)
ASKED = Destination("a.zoom.us")


def test_a_destination_that_cannot_be_read_is_blocked_with_the_reason():
    verdict = decider(rule(ALLOW)).decide(Unreadable("a b", "has a space"))
    assert (verdict.action, verdict.rule) == (BLOCK, "unreadable-destination")
    assert "it has a space" in verdict.reason
    assert not verdict.passes


def test_without_a_rule_the_default_decides():
    for action in Action:
        verdict = decider(default=action).decide(Destination("somewhere.fr"))
        assert (verdict.action, verdict.rule) == (action, "default")


def test_the_first_rule_that_fits_wins():
    rules = [
        rule(BLOCK, name="other", categories={"messaging"}),
        rule(WARN, name="first", services={"zoom"}),
        rule(BLOCK, name="second", services={"zoom"}),
    ]
    verdict = decider(*rules, listings=[HOST]).decide(ASKED)
    assert (verdict.action, verdict.rule) == (WARN, "first")
    again = decider(*reversed(rules), listings=[HOST]).decide(ASKED)
    assert (again.action, again.rule) == (BLOCK, "second")


def test_the_verdict_carries_policy_listing_message_and_jurisdiction():
    words = {"fr": "Allez sur Visio."}
    judged = decider(rule(services={"zoom"}, message=words), listings=[HOST], powers=[power()])
    verdict = judged.decide(ASKED)
    assert (verdict.policy, verdict.policy_version) == ("test-policy", "v1")
    assert (verdict.service, verdict.listing, verdict.message) == (ZOOM, HOST, words)
    assert verdict.jurisdiction.control == ("US",)
    assert [item.id for item in verdict.jurisdiction.powers] == ["us-cloud-act"]
    for part in ("Zoom (videoconference)", "Zoom Inc.", "US", "abroad", verdict.rule, "block"):
        assert part in verdict.reason


PARTS = [
    # the part of a condition, what fits, what does not
    ("services", {"zoom", "webex"}, {"webex"}),
    ("categories", {"videoconference"}, {"messaging"}),
    ("stances", {"replace"}, {"keep"}),
    ("operators", {"zoom holding"}, {"webex inc."}),
    ("control", {"US", "CN"}, {"CN"}),
    ("location", {"FR"}, {"US"}),
    ("networks", {64500, 64501}, {64501}),
    ("powers", {"us-cloud-act"}, {"cn-nil"}),
    ("standing", {"hosted_here_controlled_abroad"}, {"abroad"}),
    ("verification", {"mixed"}, {"verified"}),
    ("groups", {"finance"}, {"hr"}),
    ("hosts", {"*.zoom.us", "other.fr"}, {"zoom.us"}),
]


@pytest.mark.parametrize(("part", "fits", "misses"), PARTS, ids=[row[0] for row in PARTS])
def test_each_part_of_a_condition_fits_and_misses(part, fits, misses):
    run_by = operator("Zoom Inc.", "DE", [operator("Zoom Holding", "US")])
    claim = listing("*.zoom.us", service(run_by=run_by), Verification.MIXED)
    where = place("FR", 64500, operator("Host", "FR"))
    for values, wanted in ((fits, "it"), (misses, "default")):
        judged = decider(rule(name="it", **{part: values}), listings=[claim], powers=[power()])
        verdict = judged.decide(by_node("a.zoom.us", "192.0.2.1"), where, group="finance")
        assert verdict.rule == wanted


def test_every_part_of_a_condition_must_fit():
    both = rule(services={"zoom"}, location={"FR"})
    judged = decider(both, listings=[HOST])
    asked = by_node("a.zoom.us", "192.0.2.1")
    assert judged.decide(asked, place("FR")).rule == both.id
    assert judged.decide(asked, place("US")).rule == "default"
    assert judged.decide(Destination("b.fr"), place("FR")).rule == "default"


@pytest.mark.parametrize(
    ("now", "action", "by"),
    [
        (-5.0, OBSERVE, "default"),
        (99.9, OBSERVE, "default"),
        (100.0, OBSERVE, "it"),
        (200.0, WARN, "it"),
        (299.9, WARN, "it"),
        (300.0, BLOCK, "it"),
        (1e12, BLOCK, "it"),
    ],
)
def test_phases_begin_on_their_date_and_before_the_first_the_rule_does_not_apply(now, action, by):
    phases = (Phase(100.0, OBSERVE), Phase(200.0, WARN), Phase(300.0, BLOCK))
    judged = decider(rule(name="it", phases=phases, services={"zoom"}), listings=[HOST])
    for _ in range(2):
        verdict = judged.decide(ASKED, now=now)
        assert (verdict.action, verdict.rule) == (action, by)


def test_before_its_first_phase_a_rule_leaves_the_decision_to_later_ones():
    later = rule(BLOCK, name="soon", phases=(Phase(100.0, BLOCK),), services={"zoom"})
    judged = decider(later, rule(WARN, name="now", services={"zoom"}), listings=[HOST])
    assert judged.decide(ASKED, now=50.0).rule == "now"
    assert judged.decide(ASKED, now=150.0).rule == "soon"
    details = {step.rung: step.detail for step in judged.decide(ASKED, now=50.0).steps}
    assert details["rule soon"] == "fits, but is not in force yet"


def test_a_rule_for_a_group_leaves_everybody_else_alone():
    judged = decider(rule(name="it", groups={"finance"}, services={"zoom"}), listings=[HOST])
    assert judged.decide(ASKED, group="finance").rule == "it"
    assert judged.decide(ASKED, group="hr").rule == "default"
    assert judged.decide(ASKED).rule == "default"


RECALLED = listing("old.zoom.us", ZOOM, Verification.RECALLED)
OLD = Destination("old.zoom.us")


def test_a_block_on_a_recalled_fact_becomes_a_warning_that_says_so():
    verdict = decider(rule(services={"zoom"}), listings=[RECALLED]).decide(OLD)
    assert (verdict.action, verdict.softened) == (WARN, True)
    assert "only recalled" in verdict.why


@pytest.mark.parametrize("level", [Verification.VERIFIED, Verification.MIXED])
def test_a_block_on_a_better_fact_stays_a_block(level):
    claim = listing("old.zoom.us", ZOOM, level)
    verdict = decider(rule(services={"zoom"}), listings=[claim]).decide(OLD)
    assert (verdict.action, verdict.softened) == (BLOCK, False)


@pytest.mark.parametrize("action", [ALLOW, OBSERVE, WARN])
def test_only_a_block_is_softened(action):
    verdict = decider(rule(action, services={"zoom"}), listings=[RECALLED]).decide(OLD)
    assert (verdict.action, verdict.softened) == (action, False)


def test_rule_or_policy_may_trust_recalled_facts():
    trusting = decider(rule(services={"zoom"}, trust_recalled=True), listings=[RECALLED])
    assert trusting.decide(OLD).action is BLOCK
    trusting = decider(rule(services={"zoom"}), listings=[RECALLED], trust_recalled=True)
    assert trusting.decide(OLD).action is BLOCK


@pytest.mark.parametrize(
    "parts", [{"hosts": {"old.zoom.us"}}, {"location": {"FR"}}, {"networks": {64500}}, {}]
)
def test_a_rule_that_does_not_look_at_the_recalled_fact_is_not_softened_by_it(parts):
    verdict = decider(rule(**parts), listings=[RECALLED]).decide(OLD, place("FR", 64500))
    assert (verdict.action, verdict.softened) == (BLOCK, False)


def test_a_rule_on_control_is_softened_where_the_operator_of_the_network_is_only_recalled():
    for level, action in ((Verification.RECALLED, WARN), (Verification.VERIFIED, BLOCK)):
        where = place("US", 64500, operator(verification=level))
        verdict = decider(rule(control={"US"})).decide(by_client("", "192.0.2.1"), where)
        assert verdict.action is action


def test_a_rule_on_standing_by_location_alone_rests_on_the_database():
    verdict = decider(rule(standing={"abroad"})).decide(by_client("", "192.0.2.1"), place("US"))
    assert verdict.action is BLOCK


def test_a_shared_host_is_never_stopped_on_behalf_of_a_service():
    shared = listing("ocsp.example", None, operator=ZOOM.operator)
    rules = [
        rule(services={"zoom"}),
        rule(categories={"videoconference"}),
        rule(stances={"replace"}),
    ]
    judged = decider(*rules, listings=[HOST, shared])
    verdict = judged.decide(Destination("ocsp.example"))
    assert (verdict.rule, verdict.service, verdict.listing) == ("default", None, shared)
    assert "The shared host ocsp.example" in verdict.reason


def test_a_refused_network_is_blocked_whatever_else_is_true_of_it():
    judged = decider(
        rule(ALLOW),
        listings=[HOST],
        refused_networks=("127.0.0.0/8", "::1/128"),
        internal_networks=("127.0.0.0/8",),
        internal_domains=("intra.fr",),
    )
    for asked in (
        by_client("", "127.0.0.1"),
        by_client("", "::1"),
        by_node("intra.fr", "127.9.9.9"),
        by_node("a.zoom.us", "127.0.0.1"),
    ):
        verdict = judged.decide(asked)
        assert (verdict.action, verdict.rule) == (BLOCK, "refused-network")
    assert judged.decide(by_client("", "128.0.0.1")).action is ALLOW
    assert judged.decide(by_client("", "::2")).action is ALLOW


def test_internal_names_and_networks_are_not_judged():
    judged = decider(rule(), internal_domains=("intra.fr",), internal_networks=("10.0.0.0/8",))
    for asked in (
        Destination("intra.fr"),
        Destination("wiki.deep.intra.fr"),
        by_node("intra.fr", "203.0.113.7"),
        by_client("", "10.1.2.3"),
        by_client("unheard-of.fr", "10.1.2.3"),
    ):
        assert (judged.decide(asked).action, judged.decide(asked).rule) == (ALLOW, "internal")
    for host in ("xintra.fr", "intra.fr.evil.example", "fr"):
        assert judged.decide(Destination(host)).action is BLOCK
    assert judged.decide(by_client("", "11.0.0.1")).action is BLOCK


def test_a_listed_service_on_an_internal_network_is_judged_all_the_same():
    judged = decider(rule(services={"zoom"}), listings=[HOST], internal_networks=("10.0.0.0/8",))
    assert judged.decide(by_node("a.zoom.us", "10.0.0.1")).action is BLOCK


def test_a_rule_may_name_a_host_that_is_also_an_internal_domain():
    judged = decider(rule(hosts={"intra.fr"}), internal_domains=("intra.fr",))
    assert judged.decide(Destination("intra.fr")).rule == "internal"
    assert judged.decide(by_client("intra.fr", "203.0.113.7")).action is BLOCK


def test_the_trace_lists_everything_that_was_considered_in_order():
    rules = [
        rule(name="a", categories={"messaging"}),
        rule(name="b", location={"CN"}),
        rule(name="c", hosts={"intra.fr"}),
        rule(WARN, name="d", control={"US"}),
        rule(name="e"),
    ]
    steps = decider(*rules, listings=[HOST], internal_domains=("intra.fr",)).decide(ASKED).steps
    assert [(step.rung, step.decided, step.detail) for step in steps] == [
        ("refused-network", False, "the address is not in a refused network"),
        ("internal", False, "neither an internal domain nor network"),
        ("rule a", False, "does not fit: category is videoconference"),
        ("rule b", False, "does not fit: location is unknown"),
        ("rule c", False, "does not fit: host is unknown"),
        ("rules", True, "d: warn."),
    ]


def test_the_trace_ends_with_the_rung_that_decided():
    for verdict in (
        decider().decide(ASKED),
        decider(rule()).decide(ASKED),
        decider(internal_domains=("zoom.us",)).decide(ASKED),
        decider().decide(Unreadable("", "is empty")),
    ):
        assert [step.decided for step in verdict.steps].count(True) == 1
        assert verdict.steps[-1].decided


def test_the_trace_shows_no_mark_that_is_only_ours():
    judged = decider(rule(name="c", hosts={"other.fr"}), internal_domains=("intra.fr",))
    steps = judged.decide(by_client("intra.fr", "203.0.113.7")).steps
    (detail,) = (step.detail for step in steps if step.rung == "rule c")
    assert detail == "does not fit: host is unknown"


VISIO = service("Visio", run_by=operator("DINUM", "FR"), stance="keep", url="https://visio.example")
TEAMS = service("Teams", run_by=operator("Microsoft"), url="https://teams.example")
NO_URL = service("Bare", run_by=operator("Bare SA", "FR"))


@pytest.mark.parametrize(
    ("of_rule", "of_service", "offered"),
    [
        ("visio", (), VISIO),
        ("visio", ("teams",), VISIO),
        ("none", ("visio",), None),
        ("missing", ("visio",), None),
        ("", (), None),
        ("", ("visio",), VISIO),
        ("", ("teams", "bare", "missing", "visio"), VISIO),
        ("", ("teams",), None),
    ],
)
def test_the_alternative_is_the_rule_s_or_the_service_s_first_sovereign_one(
    of_rule, of_service, offered
):
    zoom = service(alternatives=of_service)
    judged = decider(
        rule(services={"zoom"}, alternative=of_rule),
        listings=[listing("zoom.us", zoom)],
        others=[VISIO, TEAMS, NO_URL],
    )
    for _ in range(2):
        assert judged.decide(Destination("zoom.us")).alternative is offered


def test_what_is_allowed_is_offered_no_alternative():
    zoom = service(alternatives=("visio",))
    judged = decider(
        rule(ALLOW, services={"zoom"}, alternative="visio"),
        listings=[listing("zoom.us", zoom)],
        others=[VISIO],
        default=ALLOW,
    )
    assert judged.decide(Destination("zoom.us")).alternative is None


def test_only_a_warning_can_be_acknowledged():
    for action in Action:
        verdict = decider(default=action).decide(ASKED)
        went_on = verdict.acknowledge()
        assert went_on.acknowledged == (action is WARN)
        assert went_on.passes == (action is not BLOCK)
        assert verdict.passes == (action in {ALLOW, OBSERVE})
        assert went_on._replace(acknowledged=False) == verdict


def test_the_strictest_of_several_verdicts_counts_the_first_of_equals():
    allow, warn, block = (decider(default=action).decide(ASKED) for action in (ALLOW, WARN, BLOCK))
    assert strictest([allow, warn, block]) is block
    assert strictest([warn.acknowledge(), allow]).action is WARN
    assert strictest([warn.acknowledge(), warn]) is warn
    other = decider(default=BLOCK).decide(ASKED)
    assert strictest([block, other]) is block
