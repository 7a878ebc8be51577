"""What the prompt says of a request that the worker has made already."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sovproxy.prompt import Ask, AskState, Standing, language_named, languages, render_page
from sovproxy.prompt.asking import ends
from tests.barriers import barriers

ASK = "/.well-known/sovproxy/ask"
TITLES = {
    AskState.WAITING: "Your request waits for an answer",
    AskState.GRANTED: "Your request was granted",
    AskState.REFUSED: "Your request was refused",
    AskState.REVOKED: "Your exception was taken back",
}
HOSTILE = '<img src=x onerror=alert(1)>"\u202e' + "x" * 400


@pytest.fixture
def prompt(world, facts):
    """The facts of a prompt whose reader has asked already."""

    def make(state: AskState, **changes):
        standing = Standing(
            state=state,
            request="01a20692-8621-70d7-a99f-dbc898c77802",
            asked=world.NOW - timedelta(hours=2),
            until=world.NOW + timedelta(days=6),
            number="12",
            decided=world.NOW - timedelta(hours=1),
            message="Please use Visio: they can join by telephone.",
        )
        form = Ask(ASK, "t0ken", ends(world.NOW, 30))
        return replace(facts(), ask=form, standing=replace(standing, **changes))

    return make


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
@pytest.mark.parametrize("state", list(AskState))
def test_every_language_says_how_it_stands(prompt, state, language):
    html = render_page(prompt(state), language).html.decode()
    assert language.say(TITLES[state]) in html
    assert language.say("Number %(number)s", number="12") in html
    assert "Please use Visio: they can join by telephone." in html


@pytest.mark.parametrize("state", list(AskState))
def test_there_is_a_form_only_for_who_was_turned_down(prompt, state):
    html = render_page(prompt(state), language_named("en")).html.decode()
    assert (ASK in html) == (state in {AskState.REFUSED, AskState.REVOKED})


def test_what_waits_is_told_with_since_and_until_when(prompt):
    html = render_page(prompt(AskState.WAITING), language_named("en")).html.decode()
    assert "23 November 2026, 07:59" in html
    assert "29 November 2026, 09:59" in html


def test_without_a_number_the_request_is_told_by_its_id(prompt):
    html = render_page(prompt(AskState.WAITING, number=""), language_named("en")).html.decode()
    assert "01a20692-8621-70d7-a99f-dbc898c77802" in html


@pytest.mark.parametrize("state", list(AskState))
def test_a_message_is_text_whatever_it_holds(prompt, state):
    html = render_page(prompt(state, message=HOSTILE), language_named("fr")).html.decode()
    assert "<img" not in html
    assert "\u202e" not in html
    assert "&lt;img src=x" in html


@pytest.mark.browser
@pytest.mark.xdist_group("prompt-browser")
@pytest.mark.parametrize("size", [(1280, 720), (320, 568)], ids=["wide", "narrow"])
@pytest.mark.parametrize("state", list(AskState))
def test_axe_finds_nothing_and_a_long_message_does_not_widen_the_page(
    chromium, served, prompt, state, size
):
    page = render_page(prompt(state, message=HOSTILE), language_named("de"))
    tab = chromium.new_page(viewport={"width": size[0], "height": size[1]})
    try:
        with served(page) as site:
            tab.goto(site.url)
            assert barriers(tab) == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    finally:
        tab.close()
