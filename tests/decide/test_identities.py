"""What a destination is taken for when its name and its address say different things."""

from __future__ import annotations

import pytest

from sovproxy.decide.catalogue import Catalogue
from sovproxy.decide.decider import Decider
from sovproxy.decide.destination import ChosenBy, Destination
from sovproxy.decide.facts import PortListing
from sovproxy.decide.words import Action, Verification
from tests.decide.factories import (
    by_client,
    by_node,
    decider,
    listing,
    operator,
    place,
    policy,
    rule,
    service,
)

TEAMS = service("Teams", run_by=operator("Microsoft"))
TELEMETRY = service("Telemetry", "telemetry", TEAMS.operator, "watch")
VISIO = service("Visio", run_by=operator("DINUM", "FR"), stance="keep")
ZOOM = service("Zoom", run_by=operator("Zoom Inc."))

LISTINGS = [
    listing("teams.example", TEAMS),
    listing("old.teams.example", TEAMS, Verification.RECALLED),
    listing("telemetry.example", TELEMETRY),
    listing("visio.example", VISIO),
    listing("zoom.example", ZOOM),
    listing("cdn.example", None, operator=operator("Cdn")),
    listing("52.112.0.0/14", TEAMS, exclusive=False),
    listing("170.114.0.0/16", ZOOM),
    listing("2407:30c0::/32", ZOOM),
    listing("203.0.113.0/24", None, operator=operator("Cdn")),
    listing("AS30103", ZOOM),
    listing("AS32934", TEAMS, exclusive=False),
]
SHARED, OWN, OWN6, ELSEWHERE = "52.112.9.9", "170.114.9.9", "2407:30c0::9", "192.0.2.9"
ZOOM_NET, META_NET = place("US", 30103, ZOOM.operator), place("US", 32934, operator("Meta"))

JUDGED = decider(
    rule(Action.BLOCK, name="stop", services={"teams", "zoom"}),
    rule(Action.ALLOW, name="keep", stances={"keep"}),
    listings=LISTINGS,
    internal_domains=("intra.fr",),
)


def taken_for(asked, where=None):
    """The service that the verdict names and the rule that decided."""
    verdict = JUDGED.decide(asked, where) if where else JUDGED.decide(asked)
    return (verdict.service.name if verdict.service else None, verdict.rule)


CASES = {
    "resolved by the node, a known name outranks a shared prefix": [
        (by_node("telemetry.example", SHARED), None, ("Telemetry", "default")),
        (by_node("visio.example", SHARED), None, ("Visio", "keep")),
        (by_node("cdn.example", SHARED), None, (None, "default")),
    ],
    "resolved by the node, an unknown name in a shared prefix is that service": [
        (by_node("unheard-of.example", SHARED), None, ("Teams", "stop")),
    ],
    "an exclusive prefix counts even against a name that the node resolved": [
        (by_node("visio.example", OWN), None, ("Zoom", "stop")),
        (by_node("telemetry.example", OWN6), None, ("Zoom", "stop")),
        (by_node("unheard-of.example", OWN), None, ("Zoom", "stop")),
        (by_node("cdn.example", OWN), None, ("Zoom", "stop")),
    ],
    "an address that the client chose counts, shared or not": [
        (by_client("telemetry.example", SHARED), None, ("Teams", "stop")),
        (by_client("visio.example", SHARED), None, ("Teams", "stop")),
        (by_client("visio.example", OWN), None, ("Zoom", "stop")),
        (by_client("cdn.example", SHARED), None, ("Teams", "stop")),
        (by_client("unheard-of.example", SHARED), None, ("Teams", "stop")),
        (by_client("", SHARED), None, ("Teams", "stop")),
        (by_client("", OWN6), None, ("Zoom", "stop")),
    ],
    "an address of which nobody says who chose it counts too": [
        (Destination("visio.example", SHARED), None, ("Teams", "stop")),
    ],
    "the name counts as well: the strictest wins": [
        (by_client("zoom.example", ELSEWHERE), None, ("Zoom", "stop")),
        (by_client("zoom.example", "203.0.113.1"), None, ("Zoom", "stop")),
        (by_node("zoom.example", SHARED), None, ("Zoom", "stop")),
        (by_client("zoom.example", SHARED), None, ("Zoom", "stop")),
        (by_client("teams.example", OWN), None, ("Teams", "stop")),
    ],
    "a verified prefix makes up for a recalled name of the same service": [
        (by_client("old.teams.example", SHARED), None, ("Teams", "stop")),
    ],
    "a bare address in one operator's network is its service": [
        (by_client("", ELSEWHERE), ZOOM_NET, ("Zoom", "stop")),
        (by_client("", ELSEWHERE), META_NET, ("Teams", "stop")),
        (by_client("", ELSEWHERE), place("US", 64500), (None, "default")),
    ],
    "so is one that the client chose and gave a name that nobody knows": [
        (by_client("unheard-of.example", ELSEWHERE), ZOOM_NET, ("Zoom", "stop")),
        (by_client("unheard-of.example", ELSEWHERE), META_NET, ("Teams", "stop")),
    ],
    "or a name that has no business in a network that is one operator's alone": [
        (by_client("visio.example", ELSEWHERE), ZOOM_NET, ("Zoom", "stop")),
        (by_client("cdn.example", ELSEWHERE), ZOOM_NET, ("Zoom", "stop")),
        (by_client("visio.example", ELSEWHERE), META_NET, ("Visio", "keep")),
        (by_client("cdn.example", ELSEWHERE), META_NET, (None, "default")),
    ],
    "but not a name that the node resolved": [
        (by_node("unheard-of.example", ELSEWHERE), ZOOM_NET, (None, "default")),
        (by_node("visio.example", ELSEWHERE), ZOOM_NET, ("Visio", "keep")),
    ],
    "the name of an internal domain does not open a listed address": [
        (by_client("intra.fr", OWN), None, ("Zoom", "stop")),
        (by_client("intra.fr", SHARED), None, ("Teams", "stop")),
        (by_client("intra.fr", ELSEWHERE), ZOOM_NET, ("Zoom", "stop")),
        (by_node("intra.fr", OWN), None, ("Zoom", "stop")),
        (by_client("intra.fr", ELSEWHERE), None, (None, "default")),
        (by_node("intra.fr", ELSEWHERE), None, (None, "internal")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("claim", CASES)
def test_name_and_address_are_weighed(claim):
    for asked, where, wanted in CASES[claim]:
        assert taken_for(asked, where) == wanted, asked


def test_a_name_of_the_same_house_is_at_home_in_its_network():
    house = operator("Holding")
    github = service("Github", run_by=operator("Github Inc.", "US", [house]))
    docs = service("Docs", run_by=operator("Docs Inc.", "US", [house]))
    judged = decider(
        rule(services={"github"}),
        listings=[listing("docs.example", docs), listing("AS36459", github)],
    )
    asked = by_client("docs.example", ELSEWHERE)
    assert judged.decide(asked, place("US", 36459, github.operator)).service is docs


def test_the_listing_shown_is_the_one_that_decided():
    assert JUDGED.decide(by_client("visio.example", OWN)).listing.pattern == "170.114.0.0/16"
    assert JUDGED.decide(by_client("zoom.example", OWN)).listing.pattern == "zoom.example"
    assert JUDGED.decide(by_client("", ELSEWHERE), ZOOM_NET).listing.pattern == "AS30103"


def test_port_plays_no_part_where_no_listing_asks_for_it():
    asked = Destination("zoom.example", OWN, 443, ChosenBy.CLIENT)
    first, *others = (JUDGED.decide(asked._replace(port=port)) for port in (0, 80, 443, 8801))
    assert others == [first] * 3


@pytest.mark.parametrize(
    ("address", "port", "known"),
    [
        ("198.51.100.9", 5222, True),
        ("198.51.100.9", 443, False),
        ("198.51.100.9", 0, False),
        ("198.51.100.200", 8802, True),
        ("198.51.100.200", 5222, True),
        ("198.51.101.9", 5222, False),
    ],
)
def test_a_prefix_may_be_a_services_on_some_ports_only(address, port, known):
    """The inner prefix has ports of its own, and those of the prefix around it."""
    ports = [
        PortListing(listing("198.51.100.0/24", ZOOM), "tcp", 5222, 5222),
        PortListing(listing("198.51.100.128/25", ZOOM), "udp", 8801, 8810),
    ]
    catalogue = Catalogue.build([], {}, {}, [], ports)
    judge = Decider(catalogue, policy(rule(Action.BLOCK, categories={"videoconference"})))
    verdict = judge.decide(by_client("", address)._replace(port=port))
    assert (verdict.service is ZOOM) is known


def test_a_destination_keeps_host_and_port_when_it_gets_an_address():
    asked = Destination("zoom.example", port=8443)
    at = asked.at(OWN, ChosenBy.NODE)
    assert at == Destination("zoom.example", OWN, 8443, ChosenBy.NODE)
    assert (asked.label, Destination(address=OWN).label) == ("zoom.example", OWN)
