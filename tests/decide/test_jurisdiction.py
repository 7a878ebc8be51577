"""Where a destination stands: every combination of control and location, and the powers over it."""

from __future__ import annotations

import pytest

from sovproxy.decide.jurisdiction import assess, control_of, powers_over, standing_of
from sovproxy.decide.words import PowerStatus, Standing
from tests.decide.factories import ZONE, listing, operator, place, power, service

SOVEREIGN, HOSTED, ABROAD, UNKNOWN = Standing

STANDINGS = [
    # control, location, standing
    ((), "", UNKNOWN),
    ((), "FR", UNKNOWN),
    ((), "US", ABROAD),
    (("FR",), "", SOVEREIGN),
    (("FR",), "FR", SOVEREIGN),
    (("FR",), "DE", SOVEREIGN),
    (("FR", "NL"), "DE", SOVEREIGN),
    (("FR",), "US", ABROAD),
    (("US",), "", ABROAD),
    (("US",), "FR", HOSTED),
    (("US",), "US", ABROAD),
    (("US",), "CN", ABROAD),
    (("FR", "US"), "", ABROAD),
    (("FR", "US"), "FR", HOSTED),
    (("FR", "US"), "US", ABROAD),
    (("US", "FR"), "FR", HOSTED),
]


@pytest.mark.parametrize(("control", "location", "standing"), STANDINGS)
def test_standing_combines_control_and_location(control, location, standing):
    assert standing_of(control, location, ZONE) is standing


@pytest.mark.parametrize("location", ["", "FR", "US"])
def test_an_empty_trust_zone_calls_nothing_sovereign(location):
    assert standing_of(("FR",), location, frozenset()) is Standing.ABROAD


def test_control_is_that_of_the_operator_and_of_all_its_parents_once():
    parent = operator("Alphabet", "US")
    irish = operator("Google Ireland", "IE", [operator("Google", "US", [parent]), parent])
    assert irish.control == ("IE", "US")
    assert irish.chain == ("google ireland", "google", "alphabet")


def test_the_network_s_operator_counts_beside_the_service_s():
    olvid, amazon = operator("Olvid", "FR"), operator("Amazon", "US")
    assert control_of(olvid, amazon) == ("FR", "US")
    claim = listing("olvid.io", service("Olvid", run_by=olvid))
    found = assess(claim, place("FR", 16509, amazon), ZONE, {})
    assert found.standing is Standing.HOSTED_HERE_CONTROLLED_ABROAD
    assert found.operator is olvid


def test_technology_from_abroad_is_not_control():
    bleu = operator("Bleu", "FR", technology=("US",))
    claim = listing("bleu.fr", service("Bleu", run_by=bleu))
    assert assess(claim, place("FR"), ZONE, {}).control == ("FR",)


def test_without_a_service_the_network_s_operator_runs_it():
    ovh = operator("OVH", "FR")
    found = assess(None, place("CA", 16276, ovh), ZONE, {})
    assert (found.operator, found.control, found.standing) == (ovh, ("FR",), Standing.ABROAD)


def test_a_shared_host_is_run_by_its_own_operator():
    akamai = operator("Akamai", "NL", [operator("Akamai Technologies", "US")])
    found = assess(listing("a.akamaized.net", None, operator=akamai), place("FR"), ZONE, {})
    assert found.operator is akamai
    assert found.standing is Standing.HOSTED_HERE_CONTROLLED_ABROAD


def test_where_nothing_is_known_the_standing_is_unknown():
    found = assess(None, place(), ZONE, {"US": (power(),)})
    assert (found.standing, found.operator, found.control, found.powers) == (UNKNOWN, None, (), ())


CLOUD = power()
LAPSED = power("FISA 702", status=PowerStatus.LAPSED)
PROPOSED = power("Next", status=PowerStatus.PROPOSED)
CHINESE = power("NIL", "CN")
FRENCH = power("LPM", "FR")
POWERS = {"US": (CLOUD, LAPSED, PROPOSED), "CN": (CHINESE,), "FR": (FRENCH,)}


@pytest.mark.parametrize(
    ("control", "location", "powers"),
    [
        (("US",), "FR", (CLOUD, LAPSED)),
        (("FR",), "US", (CLOUD, LAPSED)),
        (("FR",), "FR", ()),
        ((), "US", (CLOUD, LAPSED)),
        (("US",), "US", (CLOUD, LAPSED)),
        (("US",), "CN", (CLOUD, LAPSED, CHINESE)),
        (("CN", "US"), "", (CHINESE, CLOUD, LAPSED)),
        (("JP",), "JP", ()),
        ((), "", ()),
    ],
)
def test_powers_reach_through_control_and_location_lapsed_ones_shown_proposed_not(
    control, location, powers
):
    assert powers_over(control, location, ZONE, POWERS) == powers
