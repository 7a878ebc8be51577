"""What attackers choose is shown so that it cannot deceive."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.prompt.shown import MAX_SHORT, MAX_SHOWN, printable, safe_link, safe_path, show_host


def test_an_idn_is_shown_in_both_forms():
    shown = show_host("xn--bcher-kva.example")
    assert (shown.full, shown.unicode) == ("xn--bcher-kva.example", "bücher.example")
    assert show_host("bücher.example") == shown


def test_a_plain_host_has_no_second_form():
    assert show_host("zoom.us").unicode == ""


def test_characters_that_turn_the_line_become_visible():
    assert show_host("zoom\u202egpj.us").full == "zoom⟨U+202E⟩gpj.us"
    assert printable("a\u200bb\x00c\u2066") == "a⟨U+200B⟩b⟨U+0000⟩c⟨U+2066⟩"


def test_piled_up_marks_become_visible():
    assert printable("z\u0335\u0336oom") == "z⟨U+0335⟩⟨U+0336⟩oom"


def test_a_long_host_keeps_its_end_because_the_end_says_whose_it_is():
    shown = show_host("visio.numerique.gouv.fr." + "a." * 60 + "evil.example")
    assert shown.short.endswith(".evil.example")
    assert shown.short.startswith("…")
    assert len(shown.short) == MAX_SHORT


@given(st.text(max_size=600))
def test_any_text_is_bounded_and_visible(raw):
    shown = show_host(raw)
    assert len(shown.full) <= MAX_SHOWN
    assert len(shown.short) <= MAX_SHORT
    for char in shown.full + shown.short:
        assert char == " " or unicodedata.category(char)[0] not in "CZ"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "/relative",
        "https://",
        "https://user:pass@host.example",
        "https://[broken",
        "https://a b.example",
        "https://a\u202e.example",
        "",
    ],
)
def test_only_plain_web_links_are_followed(url):
    assert safe_link(url) == ""


def test_a_web_link_stays_as_it_is():
    assert safe_link("https://visio.numerique.gouv.fr/a?b=c") == (
        "https://visio.numerique.gouv.fr/a?b=c"
    )


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "https://evil.example", "", "x", "/a b", "/a\nb"]
)
def test_a_path_that_leaves_its_origin_is_dropped(path):
    assert safe_path(path) == ""


def test_a_path_on_its_origin_stays():
    assert safe_path("/.well-known/sovproxy/go-on") == "/.well-known/sovproxy/go-on"
