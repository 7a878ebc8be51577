"""The page in a real Chromium, served with its real header fields, so that its CSP is in force."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sovproxy.decide.words import Action
from sovproxy.prompt import (
    Ask,
    Mishap,
    MishapFacts,
    language_named,
    languages,
    render_mishap,
    render_page,
)
from sovproxy.prompt.asking import ends
from tests.barriers import barriers

# One Chromium for all: starting one per worker costs more than the tests.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("prompt-browser")]

ROOM = "https://visio.numerique.gouv.fr/xyz-abcd-efg"
WIDE, NARROW = (1280, 720), (375, 667)


@pytest.fixture
def shown(chromium, served):
    """Open a page in a fresh context: gives the Playwright page, its requests and complaints."""

    @contextmanager
    def _shown(page, size=WIDE, **options):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            **({"permissions": ["clipboard-read", "clipboard-write"]} | options),
        )
        tab = context.new_page()
        tab.set_default_timeout(5000)
        requests, complaints = [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        with served(page) as site:
            tab.goto(site.url)
            yield SimpleNamespace(
                tab=tab, url=site.url, hits=site.hits, requests=requests, complaints=complaints
            )
        context.close()

    return _shown


def unexpected(complaints: list[str], status: int) -> list[str]:
    """Chromium reports the status of the page itself as an error: that one is meant."""
    return [text for text in complaints if f"responded with a status of {status}" not in text]


@pytest.mark.parametrize("code", [language.code for language in languages()])
@pytest.mark.parametrize("action", [Action.WARN, Action.BLOCK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_the_browser_has_no_complaint(
    shown, facts, world, code, action, scheme
):
    """axe is injected past the CSP (Playwright evaluates outside of the page's scripts)."""
    ask = Ask("/.well-known/sovproxy/ask", "t0ken", ends(world.NOW, 30))
    page = render_page(replace(facts(action), ask=ask), language_named(code))
    with shown(page, color_scheme=scheme) as seen:
        assert unexpected(seen.complaints, 451) == []
        assert seen.requests == [seen.url]
        assert barriers(seen.tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_unreadable_colours_configured(shown, facts, world, scheme):
    organisation = replace(world.ORGANISATION, primary_colour="#ffe000", accent_colour="#fefefe")
    policy = replace(world.POLICY, organisation=organisation)
    page = render_page(facts(Action.WARN, policy=policy, softened=True), language_named("fr"))
    with shown(page, NARROW, color_scheme=scheme) as seen:
        assert barriers(seen.tab) == []


@pytest.mark.parametrize("mishap", list(Mishap))
def test_axe_finds_nothing_on_the_page_about_a_mishap(shown, world, mishap):
    facts = MishapFacts(mishap, world.POLICY, world.NOW, "node-1", "zoom.us", "event-1", "/j/1")
    page = render_mishap(facts, language_named("de"))
    with shown(page) as seen:
        assert unexpected(seen.complaints, page.status) == []
        assert barriers(seen.tab) == []


@pytest.mark.parametrize("code", [language.code for language in languages()])
@pytest.mark.parametrize("action", [Action.WARN, Action.BLOCK])
def test_the_way_out_is_above_the_fold(shown, facts, code, action):
    """Also with a message of the rule, which stands below it."""
    message = {"en": "Meetings of this administration take place on Visio. " * 3}
    page = render_page(facts(action, message=message), language_named(code))
    with shown(page) as seen:
        for width, height in (WIDE, NARROW):
            seen.tab.set_viewport_size({"width": width, "height": height})
            box = seen.tab.locator("#way-out").bounding_box()
            assert box["y"] + box["height"] <= height
            assert box["height"] >= 44


@pytest.mark.parametrize("code", [language.code for language in languages()])
@pytest.mark.parametrize(
    "host", ["zoom.us", "a-label-that-never-ends-" * 10 + ".example", "x" * 250]
)
def test_nothing_is_cut_at_320_pixels_or_at_200_percent(shown, facts, code, host):
    """1280 px at 200 % zoom is a layout of 640 px (WCAG 1.4.10 and 1.4.4)."""
    page = render_page(facts(Action.WARN, host=host, service=None), language_named(code))
    with shown(page) as seen:
        seen.tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        for width in (320, 640):
            seen.tab.set_viewport_size({"width": width, "height": 640})
            assert seen.tab.evaluate("document.documentElement.scrollWidth") <= width


def test_the_pasted_link_fills_every_reply_and_can_be_copied(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        tab = seen.tab
        tab.get_by_label("Collez son lien").fill(ROOM)
        for code in ("fr", "en", "de", "da"):
            assert ROOM in tab.locator(f"#reply-text-{code}").input_value()
            assert "[" not in tab.locator(f"#reply-text-{code}").input_value()
        tab.get_by_role("button", name="Copier la réponse").click()
        status = tab.get_by_role("status")
        status.filter(has_text="Copié").wait_for()
        assert ROOM in tab.evaluate("navigator.clipboard.readText()")


def test_what_the_worker_wrote_survives_a_corrected_link(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        area = seen.tab.locator("#reply-text-fr")
        area.fill("Cher Paul, " + area.input_value())
        for link in (ROOM[:-3], ROOM, ""):
            seen.tab.locator("#room").fill(link)
        assert area.input_value().startswith("Cher Paul, Bonjour")
        assert "abc-defg-hij" in area.input_value()


def test_a_bare_room_code_becomes_the_rooms_link(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        seen.tab.locator("#room").fill(" XYZabcdefg ")
        assert ROOM in seen.tab.locator("#reply-text-fr").input_value()


def test_a_link_to_somewhere_else_is_pointed_out(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        seen.tab.locator("#room").fill("https://zoom.us/j/123")
        assert seen.tab.get_by_role("status").inner_text() == "Ce lien ne mène pas à Visio."
        seen.tab.locator("#room").fill(ROOM)
        assert seen.tab.get_by_role("status").inner_text() == ""


def test_the_reply_is_chosen_by_language_with_the_keyboard_alone(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        seen.tab.locator("#reply-fr").focus()
        seen.tab.keyboard.press("ArrowRight")
        assert seen.tab.locator("#reply-text-en").is_visible()
        assert not seen.tab.locator("#reply-text-fr").is_visible()


def test_without_a_clipboard_the_text_is_copied_by_selection(shown, facts):
    """Pages on plain HTTP have no clipboard API; the old command still copies."""
    with shown(render_page(facts(), language_named("en"))) as seen:
        seen.tab.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        seen.tab.get_by_role("button", name="Copy the reply").click()
        seen.tab.get_by_role("status").filter(has_text="Copied").wait_for()
        selected = "document.activeElement.selectionEnd - document.activeElement.selectionStart"
        assert seen.tab.evaluate(selected) > 100


def test_the_page_works_without_javascript(shown, facts):
    page = render_page(facts(Action.WARN), language_named("fr"))
    with shown(page, java_script_enabled=False) as seen:
        tab = seen.tab
        assert tab.locator("#way-out").is_visible()
        assert tab.locator("#reply-text-fr").is_editable()
        assert tab.get_by_text("remplacez les crochets").is_visible()
        assert not tab.locator("#room").is_visible()
        assert not tab.get_by_role("button", name="Copier la réponse").is_visible()
        tab.locator("summary").first.click()
        assert tab.get_by_text("Zoom KB0060561").is_visible()
        tab.get_by_text("English", exact=True).first.click()
        assert tab.locator("#reply-text-en").is_visible()


def test_going_on_needs_a_reason_and_posts_it_to_the_same_origin(shown, facts):
    with shown(render_page(facts(Action.WARN), language_named("fr"))) as seen:
        tab = seen.tab
        tab.get_by_role("button", name="Continuer vers Zoom").click()
        assert seen.requests == [seen.url]
        tab.get_by_label("Motif").select_option("partner")
        tab.get_by_label("Précisions").fill("réunion de crise")
        with tab.expect_request("**/go-on") as sent:
            tab.get_by_role("button", name="Continuer vers Zoom").click()
        assert sent.value.method == "POST"
        assert "reason=partner" in sent.value.post_data
        assert "token=c2lnbmVk.dG9rZW4" in sent.value.post_data


def test_an_injected_script_style_frame_or_picture_does_nothing(shown, facts):
    """Were escaping ever to fail, the Content-Security-Policy would still hold."""
    page = render_page(facts(), language_named("fr"))
    attack = (
        b"<script>document.title='owned'</script>"
        b"<img src=/j/picture onerror=\"document.title='owned'\">"
        b"<style>h1{display:none}</style><h2 style='display:none' id=h>x</h2>"
        b"<iframe src=/j/frame></iframe><base href=https://evil.example/>"
        b"<form action=https://evil.example/ id=f><button id=b>x</button></form>"
    )
    hurt = replace(page, html=page.html.replace(b"<main>", b"<main>" + attack))
    with shown(hurt) as seen:
        assert "owned" not in seen.tab.title()
        assert seen.tab.locator("h1").is_visible()
        assert seen.tab.locator("#h").is_visible()
        seen.tab.evaluate("document.getElementById('b').click()")
        seen.tab.wait_for_timeout(200)
        assert seen.tab.url == seen.url
        assert seen.hits == ["GET /j/123"]
        assert len(unexpected(seen.complaints, 451)) >= 6


def test_focus_can_be_seen_and_the_way_out_comes_first(shown, facts):
    with shown(render_page(facts(), language_named("fr"))) as seen:
        seen.tab.keyboard.press("Tab")
        focused = "getComputedStyle(document.activeElement)"
        assert seen.tab.evaluate("document.activeElement.id") == "way-out"
        assert seen.tab.evaluate(f"{focused}.outlineStyle") == "solid"
        assert seen.tab.evaluate(f"{focused}.outlineWidth") == "3px"


def test_headings_come_in_order_and_landmarks_are_there(shown, facts):
    with shown(render_page(facts(Action.WARN), language_named("fr"))) as seen:
        levels = seen.tab.evaluate(
            "[...document.querySelectorAll('h1,h2,h3')].map(h => Number(h.tagName[1]))"
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
        for landmark in ("banner", "main", "contentinfo"):
            assert seen.tab.get_by_role(landmark).count() == 1


def test_on_paper_the_way_out_has_its_address_and_no_form(shown, facts):
    with shown(render_page(facts(Action.WARN), language_named("fr"))) as seen:
        seen.tab.emulate_media(media="print")
        assert not seen.tab.locator("form").is_visible()
        content = "getComputedStyle(document.querySelector('#way-out'), '::after').content"
        assert "visio.numerique.gouv.fr" in seen.tab.evaluate(content)


def test_the_pictures_of_the_docs_can_be_made_again(shown, facts, tmp_path):
    """`SOVPROXY_PICTURES=docs/images pytest -k pictures` keeps them (docs/prompt.md)."""
    folder = Path(os.environ.get("SOVPROXY_PICTURES", tmp_path))
    page = render_page(facts(), language_named("fr"))
    for size, name in ((WIDE, "prompt-fr.png"), (NARROW, "prompt-fr-narrow.png")):
        with shown(page, size) as seen:
            seen.tab.screenshot(path=folder / name)
        assert (folder / name).stat().st_size > 20_000


@pytest.mark.parametrize("size", [WIDE, (320, 600)])
def test_a_worker_asks_by_keyboard_alone_and_without_scripts(shown, facts, world, size):
    ask = Ask("/.well-known/sovproxy/ask", "t0ken", ends(world.NOW, 30))
    page = render_page(replace(facts(), ask=ask), language_named("en"))
    with shown(page, size, java_script_enabled=False) as seen:
        seen.tab.locator("details.ask summary").focus()
        seen.tab.keyboard.press("Enter")
        seen.tab.keyboard.press("Tab")
        seen.tab.keyboard.type("They invite, and cannot move it")
        seen.tab.keyboard.press("Tab")
        seen.tab.keyboard.press("Tab")
        seen.tab.keyboard.press("Tab")
        with seen.tab.expect_request("**/.well-known/sovproxy/ask") as sent:
            seen.tab.keyboard.press("Enter")
        assert sent.value.method == "POST"
        form = sent.value.post_data
        assert form == ("token=t0ken&why=They+invite%2C+and+cannot+move+it&part=guest&until=today")
