"""Countries as policies write them, against CLDR and against what membership means."""

from __future__ import annotations

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.policy.zones import COUNTRIES, GROUPS, expand, problem_with

WORDS = st.lists(st.sampled_from(["EU", "EEA", "EFTA", "FR", "US", "CH", "HU", "XK", "RE"]))


def test_the_union_has_27_members_and_seven_territories_with_codes_of_their_own():
    territories = {"AX", "GF", "GP", "MF", "MQ", "RE", "YT"}
    assert territories < GROUPS["EU"]
    assert len(GROUPS["EU"] - territories) == 27


def test_members_agree_with_the_list_of_cldr():
    assert set(get_global("territory_currencies")) >= COUNTRIES - {"AQ"}
    """Who pays in euro and is not of the Union is one of eleven known cases."""
    euro = {code for code, used in get_global("territory_currencies").items() if _pays_euro(used)}
    outside = {"AD", "BL", "MC", "ME", "PM", "SM", "TF", "VA", "XK"}
    assert outside == (euro - GROUPS["EU"]) & COUNTRIES


def _pays_euro(currencies: list) -> bool:
    return any(name == "EUR" and end is None for name, _, end, _ in currencies)


def test_the_economic_area_is_the_union_with_three_states_of_efta():
    assert GROUPS["EEA"] - GROUPS["EU"] == {"IS", "LI", "NO"} == GROUPS["EFTA"] - {"CH"}


@pytest.mark.parametrize("gone", ["GB", "CH", "US", "GL", "FO", "NC", "PF", "SJ"])
def test_no_group_has_a_country_or_territory_outside_the_treaty(gone):
    assert gone not in GROUPS["EEA"]


def test_a_minus_takes_out_wherever_it_stands():
    assert expand(["-HU", "EU", "CH", "-EFTA"]) == GROUPS["EU"] - {"HU"}


def test_foreign_and_trusted_depend_on_the_trust_zone():
    zone = expand(["EEA", "CH"])
    assert expand(["trusted"], zone) == zone
    assert expand(["foreign"], zone) == COUNTRIES - zone
    assert expand(["foreign", "-US", "DE"], zone) == COUNTRIES - zone - {"US"} | {"DE"}


@given(WORDS, WORDS)
def test_every_country_is_either_foreign_or_trusted(kept, removed):
    zone = expand([*kept, *(f"-{word}" for word in removed)])
    foreign, trusted = expand(["foreign"], zone), expand(["trusted"], zone)
    assert foreign | trusted == COUNTRIES
    assert not foreign & trusted


@given(st.text(max_size=12), st.booleans())
def test_a_word_is_refused_or_expands_and_never_fails_otherwise(word, relative):
    if problem_with(word, relative=relative):
        return
    assert expand([word, "FR"]) <= COUNTRIES | {"FR"}


@pytest.mark.parametrize(
    ("word", "meant"), [("UK", "GB"), ("el", "GR"), ("fr", "FR"), ("eu", "EU"), ("EEE", "EEA")]
)
def test_usual_mistakes_are_told_what_was_meant(word, meant):
    assert f"did you mean `{meant}`?" in problem_with(word, relative=False)
