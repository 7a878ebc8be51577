"""In whose hands: one plain sentence, true in every case and right in every language."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sovproxy.decide.facts import Place
from sovproxy.decide.verdict import UNKNOWN_JURISDICTION
from sovproxy.decide.words import Standing
from sovproxy.prompt import language_named, languages
from sovproxy.prompt.countries import LAWS, law_of
from sovproxy.prompt.sentences import in_whose_hands


def sentence(facts, code="en"):
    return in_whose_hands(facts.verdict, facts.policy, language_named(code))


SENTENCES = {
    "en": """Zoom is operated by Zoom Communications, Inc. and so answers to the law of the
        United States: the authorities there can demand the data it holds and have the service cut
        off.""",
    "fr": """Le service Zoom est exploité par Zoom Communications, Inc. et relève donc du droit
        des États-Unis\u00a0: les autorités de ce pays peuvent exiger les données qu’il détient et
        faire couper le service.""",
    "de": """Der Dienst Zoom wird von Zoom Communications, Inc. betrieben und unterliegt damit dem
        Recht der Vereinigten Staaten: Die dortigen Behörden können die Herausgabe der
        gespeicherten Daten verlangen und den Dienst abschalten lassen.""",
    "da": """Tjenesten Zoom drives af Zoom Communications, Inc. og er dermed underlagt lovgivningen
        i USA: Myndighederne i landet kan kræve de opbevarede data udleveret og få tjenesten
        lukket.""",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_the_sentence_on_zoom_reads_well(facts, code):
    assert sentence(facts(), code) == re.sub(" *\n *", " ", SENTENCES[code])


def test_a_european_subsidiary_is_traced_to_its_foreign_parent(facts, world):
    jurisdiction = replace(world.ABROAD, operator=world.WEBEX_BV)
    text = sentence(facts(service=world.WEBEX, jurisdiction=jurisdiction))
    assert text.startswith(
        "Webex is operated by Webex Worldwide B.V., which belongs to Cisco Systems, Inc., and so "
        "answers to the law of the United States: "
    )


def test_a_site_is_named_by_its_network(facts, world):
    place = Place("IE", world.DATABASE, 16509, "Amazon.com, Inc.", "US", operator=world.AMAZON_IE)
    text = sentence(facts(**world.site(place, world.AMAZON_IE, powers=(world.CLOUD_ACT,))))
    assert text == (
        "This site is on the network of Amazon Data Services Ireland Ltd, which belongs to "
        "Amazon.com, Inc., and so answers to the law of the United States: the authorities there "
        "can demand the data it holds."
    )


def test_a_european_service_on_a_foreign_network_names_the_network(facts, world):
    """Olvid's case: nobody says that the service itself is American."""
    jurisdiction = replace(
        world.ABROAD, operator=world.OVH, place=Place("IE", asn=16509, operator=world.AMAZON)
    )
    text = sentence(facts(service=world.OVH_CLOUD, jurisdiction=jurisdiction))
    assert text.startswith("OVHcloud is on the network of Amazon.com, Inc. and so answers to")


def test_a_european_company_abroad_is_named_by_its_server(facts, world):
    place = Place("CA", world.DATABASE, 16276, "OVH SAS", "FR", operator=world.OVH)
    text = sentence(facts(**world.site(place, world.OVH)))
    assert text == "This site is on a server that answers to the law of Canada."


def test_a_lapsed_power_is_not_claimed_as_reach(facts, world):
    jurisdiction = replace(world.ABROAD, powers=(world.FISA_702,))
    text = sentence(facts(jurisdiction=jurisdiction))
    assert text.endswith("answers to the law of the United States.")


def test_a_power_to_cut_off_alone_is_said_alone(facts, world):
    text = sentence(facts(jurisdiction=replace(world.ABROAD, powers=(world.IEEPA,))))
    assert text.endswith(": the authorities there can have the service cut off.")


def test_the_unknown_is_called_unknown(facts):
    text = sentence(facts(service=None, listing=None, jurisdiction=UNKNOWN_JURISDICTION))
    assert text == "It is not known who operates this site or which law it answers to."


def test_a_sovereign_service_that_is_stopped_is_not_called_foreign(facts, world):
    place = Place("FR", operator=world.OVH)
    jurisdiction = replace(
        world.ABROAD, standing=Standing.SOVEREIGN, operator=world.OVH, place=place,
        control=("FR",), powers=(),
    )  # fmt: skip
    text = sentence(facts(service=world.OVH_CLOUD, jurisdiction=jurisdiction))
    assert text.startswith("OVHcloud answers to a law that is accepted here, but")


def test_a_refused_network_is_explained_as_such(facts):
    text = sentence(facts(service=None, rule="refused-network", jurisdiction=UNKNOWN_JURISDICTION))
    assert "nobody may reach from here" in text


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
def test_a_country_without_its_own_form_is_named_in_brackets(language):
    assert language.country("KI") in law_of("KI", language)
    assert "(" in law_of("KI", language)


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
def test_no_two_countries_share_a_form(language):
    assert len({law_of(code, language) for code in LAWS}) == len(LAWS)
