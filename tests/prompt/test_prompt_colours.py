"""Colours of any organisation end up readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.prompt.colours import AA_TEXT, contrast, readable_on
from sovproxy.prompt.page import PAPER, PAPER_DARK

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_matches_known_ratios(one, other, ratio):
    """Black on white is 21 : 1; #777 just misses AA on white, as every guide says."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)


@given(colours, colours)
def test_contrast_does_not_depend_on_the_order(one, other):
    assert contrast(one, other) == contrast(other, one) >= 1


@given(colours, st.sampled_from([PAPER, PAPER_DARK, "#ffffff", "#000000"]))
def test_every_colour_becomes_readable_on_the_papers(colour, paper):
    assert contrast(readable_on(paper, colour), paper) >= AA_TEXT


@given(colours)
def test_a_readable_colour_stays_as_it_is(colour):
    shade = readable_on(PAPER, colour)
    assert (shade == colour) == (contrast(colour, PAPER) >= AA_TEXT)
    assert readable_on(PAPER, shade) == shade


@given(colours)
def test_darkening_only_ever_darkens_each_channel(colour):
    """The hue survives: no channel rises on a light background, none falls on a dark one."""
    darker, lighter = readable_on(PAPER, colour), readable_on(PAPER_DARK, colour)
    for start in (1, 3, 5):
        channel = int(colour[start : start + 2], 16)
        assert int(darker[start : start + 2], 16) <= channel
        assert int(lighter[start : start + 2], 16) >= channel


@given(colours)
def test_text_on_the_primary_button_can_be_read(colour):
    """The button's text is white in light mode and the dark canvas in dark mode."""
    assert contrast(readable_on(PAPER, colour), "#ffffff") >= AA_TEXT
    assert contrast(readable_on(PAPER_DARK, colour), "#12151a") >= AA_TEXT


@pytest.mark.parametrize("bad", ["red", "#fff", "#12345g", "", "#1234567", "#fff;}*{x:y"])
def test_what_is_no_colour_is_refused_by_name(bad):
    with pytest.raises(ValueError, match="a colour is #rrggbb"):
        readable_on(PAPER, bad)


def test_a_ratio_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="no colour reaches"):
        readable_on("#777777", "#ff0000", ratio=7)
