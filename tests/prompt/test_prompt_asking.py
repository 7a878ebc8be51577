"""A worker asks for an exception: what may be chosen, and what the pages say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovproxy.prompt import (
    Ask,
    AskedFacts,
    Mishap,
    MishapFacts,
    language_named,
    languages,
    render_asked,
    render_mishap,
    render_page,
    render_problem,
)
from sovproxy.prompt.asking import MAX_WHY, Span, ends, is_why

MONDAY = datetime(2026, 11, 23, 9, 59, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
def asking(world, facts):
    """The facts of a prompt that has the form."""
    return replace(facts(), ask=Ask("/.well-known/sovproxy/ask", "t0ken", ends(world.NOW, 30)))


def test_the_choices_end_in_the_evening_on_sunday_and_as_late_as_the_policy_lets():
    choices = ends(MONDAY, 30)
    assert choices[Span.TODAY] == datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert choices[Span.WEEK] == datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)
    assert choices[Span.LONGEST] == MONDAY + timedelta(days=30)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.integers(1, 400))  # noqa: DTZ001  # the zone is added
def test_no_choice_is_over_or_longer_than_the_policy_lets(naive, days):
    now = naive.replace(tzinfo=UTC)
    found = list(ends(now, days).values())
    assert found == sorted(set(found))
    assert all(now - timedelta(seconds=1) <= end <= now + timedelta(days=days) for end in found)
    assert found


@pytest.mark.parametrize(
    ("text", "fits"),
    [("", False), ("  x ", False), ("why", True), ("x" * MAX_WHY, True), ("x" * 501, False)],
)
def test_words_are_wanted_but_not_a_novel(text, fits):
    assert is_why(text) is fits


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
def test_the_form_is_there_in_every_language(asking, language):
    html = render_page(asking, language).html.decode()
    assert 'action="/.well-known/sovproxy/ask"' in html
    assert 'value="t0ken"' in html
    assert language.say("Ask for an exception") in html
    for name in ("why", "part", "until"):
        assert f'<label for="{name}"' in html


def test_without_an_offer_there_is_no_form(facts):
    assert b"sovproxy/ask" not in render_page(facts(), language_named("en")).html


def test_a_form_that_leads_elsewhere_is_not_shown(asking):
    away = replace(asking, ask=replace(asking.ask, action="//evil.example/ask"))
    assert b"evil.example" not in render_page(away, language_named("en")).html


def test_a_machine_is_told_nothing_of_asking(asking):
    assert b"ask" not in render_problem(asking).json.lower()


def asked(world, **changes):
    facts = AskedFacts(
        policy=world.POLICY,
        now=world.NOW,
        node="proxy-1",
        host="zoom.us",
        service="Zoom",
        until=world.NOW + timedelta(hours=8),
        request="01a20692-8621-70d7-a99f-dbc898c77802",
        number="12",
    )
    return replace(facts, **changes)


def test_the_answer_names_the_number_and_what_comes_next(world):
    page = render_asked(asked(world, again="/j/123"), language_named("en"))
    html = page.html.decode()
    assert page.status == 200
    assert "Number 12" in html
    assert 'href="/j/123"' in html
    assert "A person reads it and decides" in html
    assert "01a20692" not in html


def test_without_a_number_the_request_is_told_by_its_id(world):
    html = render_asked(asked(world, number=""), language_named("en")).html.decode()
    assert "01a20692-8621-70d7-a99f-dbc898c77802" in html
    assert "kept here and passed on" in html


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
def test_who_asked_before_is_told_that_the_first_request_stands(world, language):
    first = render_asked(asked(world), language).html.decode()
    again = render_asked(asked(world, before=True), language).html.decode()
    told = language.say("You have asked for this already")
    assert told not in first
    assert f"<h1>{told}</h1>" in again
    assert language.say("Number %(number)s", number="12") in again


def test_hostile_names_and_paths_stay_harmless(world):
    facts = asked(world, service="", host=HOSTILE, again="//evil.example")
    html = render_asked(facts, language_named("fr")).html.decode()
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "evil.example" not in html


@pytest.mark.parametrize("language", languages(), ids=lambda language: language.code)
def test_a_limit_says_from_when_on_one_may_ask_again(world, language):
    wait = timedelta(hours=3, seconds=0.2)
    facts = MishapFacts(Mishap.TOO_OFTEN, world.POLICY, world.NOW, "proxy-1", wait=wait)
    page = render_mishap(facts, language)
    assert page.status == 429
    assert ("retry-after", "10801") in page.headers
    assert language.moment(world.NOW + wait) in page.html.decode()


@pytest.mark.parametrize(("mishap", "status"), [(Mishap.WHY_MISSING, 400), (Mishap.NOT_KEPT, 503)])
def test_what_goes_wrong_is_said(world, mishap, status):
    facts = MishapFacts(mishap, world.POLICY, world.NOW, "proxy-1", host="zoom.us", again="/x")
    assert render_mishap(facts, language_named("en")).status == status
