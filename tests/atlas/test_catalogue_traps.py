"""Corporate control, by name: what registries and GeoIP get wrong."""

from __future__ import annotations

import pytest

from sovproxy.atlas.load import load_atlas
from sovproxy.decide.words import Effect, PowerStatus

CONTROLLED_FROM_THE_US = [
    (20940, "akamai-international", "NL", "akamai-technologies"),
    (8987, "amazon-data-services-ireland", "IE", "amazon-com"),
    (214101, "amazon-data-services-esc", "DE", "amazon-com"),
    (43515, "google-ireland", "IE", "alphabet"),
    (214609, "google-cloud-emea", "IE", "alphabet"),
    (41264, "google-switzerland", "CH", "alphabet"),
    (199196, "webex-worldwide", "NL", "cisco-systems"),
    (198097, "skype-communications", "LU", "microsoft-corporation"),
    (200517, "microsoft-deutschland-mcio", "DE", "microsoft-corporation"),
    (35106, "microsoft-limited", "GB", "microsoft-corporation"),
    (31128, "apple-distribution-international", "IE", "apple-inc"),
    (15519, "oracle-svenska", "SE", "oracle-corporation"),
    (209242, "cloudflare-london", "GB", "cloudflare"),
    (43719, "kyndryl-luxembourg", "LU", "kyndryl-holdings"),
    (25384, "kyndryl-danmark", "DK", "kyndryl-holdings"),
    (8549, "kyndryl-deutschland-aviation", "DE", "kyndryl-holdings"),
    (62306, "8x8-research-and-innovations", "RO", "8x8-inc"),
]


@pytest.fixture(scope="module")
def atlas():
    return load_atlas()


@pytest.mark.parametrize(("asn", "entity", "seat", "ultimate"), CONTROLLED_FROM_THE_US)
def test_european_company_with_american_owner_is_controlled_from_the_us(
    atlas, asn, entity, seat, ultimate
):
    operator = atlas.operators_by_asn[asn]
    assert (operator.id, operator.country) == (entity, seat)
    assert operator.parents[-1] is atlas.operators[ultimate]
    assert operator.control == (seat, "US")


def test_aws_european_sovereign_cloud_is_german_by_seat_and_american_by_control(atlas):
    service = atlas.services["aws-esc"]
    assert service.operator.name == "AWS European Sovereign Cloud GmbH"
    assert service.operator.control == ("DE", "US")
    assert service.operator.chain == ("aws-european-sovereign-cloud", "amazon-com")


@pytest.mark.parametrize(
    ("service", "chain"),
    [
        ("ms-teams", ("microsoft-ireland-operations", "microsoft-corporation")),
        ("whatsapp", ("whatsapp-ireland", "whatsapp-llc", "meta-platforms")),
        ("slack", ("slack-technologies-limited", "slack-technologies", "salesforce")),
        ("linkedin", ("linkedin-ireland", "linkedin-corporation", "microsoft-corporation")),
        ("github", ("github-inc", "microsoft-corporation")),
        ("klaxoon", ("klaxoon", "wrike", "symphony-technology-group")),
        ("signal", ("signal-messenger", "signal-technology-foundation")),
        ("visio", ("dinum", "french-state")),
    ],
)
def test_parents_run_up_to_the_ultimate_parent(atlas, service, chain):
    assert atlas.services[service].operator.chain == chain


@pytest.mark.parametrize("asn", [16276, 24940, 213230, 12876, 50624, 29222, 213291])
def test_european_hosts_are_controlled_from_europe_wherever_their_servers_stand(atlas, asn):
    assert set(atlas.operators_by_asn[asn].control) <= {"FR", "DE", "CH", "NL"}


@pytest.mark.parametrize(
    ("asn", "control"),
    [
        (54265, ("US", "FR")),
        (53306, ("US", "FR")),
        (7203, ("US", "NL")),
        (53428, ("US", "NL")),
        (62827, ("US", "FR")),
    ],
)
def test_american_subsidiary_of_a_european_group_is_reached_from_both(atlas, asn, control):
    assert atlas.operators_by_asn[asn].control == control


def test_nebius_does_not_inherit_yandex(atlas):
    nebius, yandex = atlas.services["nebius"].operator, atlas.services["yandex"].operator
    assert nebius.control == ("NL",)
    assert yandex.control == ("RU",)


@pytest.mark.parametrize("service", ["bleu", "delos", "s3ns"])
def test_european_owner_with_american_technology_is_not_american_control(atlas, service):
    operator = atlas.services[service].operator
    assert operator.technology == ("US",)
    assert "US" not in operator.control


def test_joint_venture_has_all_its_owners(atlas):
    assert [owner.id for owner in atlas.operators["bleu"].parents] == ["orange", "capgemini"]
    assert atlas.services["line"].operator.control == ("JP", "KR")


def test_livekit_cloud_and_visio_are_opposites(atlas):
    assert atlas.services["visio"].operator.control == ("FR",)
    assert atlas.services["livekit-cloud"].operator.control == ("US",)
    assert atlas.services["visio"].stance == "keep"
    assert atlas.services["livekit-cloud"].stance == "replace"


@pytest.mark.parametrize(
    ("service", "control", "stance"),
    [
        ("alcatel-rainbow", ("FR", "CN"), "choose"),
        ("threema", ("CH", "DE"), "keep"),
        ("olvid", ("FR",), "keep"),
        ("telegram", ("AE",), "replace"),
        ("zoho", ("NL", "IN"), "replace"),
        ("tiktok", ("IE", "CN"), "replace"),
        ("vimeo", ("US", "IT"), "choose"),
        ("wetransfer", ("NL", "IT"), "choose"),
        ("viber", ("LU", "JP"), "replace"),
        ("ovhcloud", ("FR",), "keep"),
        ("hetzner", ("DE",), "keep"),
    ],
)
def test_contested_services_have_the_control_that_the_facts_give(atlas, service, control, stance):
    found = atlas.services[service]
    assert (found.operator.control, found.stance) == (control, stance)


def test_olvid_says_that_its_relay_is_on_amazon(atlas):
    assert 16509 in atlas.details["olvid"].seen_in
    assert "AWS" in atlas.details["olvid"].notes


def test_powers_say_what_they_do_and_leave_out_protections(atlas):
    powers = {power.id: power for power in atlas.powers}
    assert powers["us-ieepa"].effect is Effect.CUT_OFF
    assert powers["us-cloud-act"].effect is Effect.DISCLOSE
    assert len(powers) == 21
    assert not {"eu-gdpr-48", "eu-cada", "fr-visio", "nl-vifo"} & set(powers)


def test_fisa_702_is_shown_as_lapsed_with_its_nuance(atlas):
    fisa = next(power for power in atlas.powers if power.id == "us-fisa-702")
    assert fisa.status is PowerStatus.LAPSED
    assert "12 June 2026" in fisa.status_text
    assert "March 2027" in fisa.status_text
