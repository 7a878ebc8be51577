"""The analyst's desk in a real Chromium: by keyboard, live, narrow, and with hostile values."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect, sync_playwright

from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis import findings, suppressing
from sovproxy.usecases.analysis.findings import FindingInput
from sovproxy.usecases.analysis.suppressing import SuppressionInput
from tests.barriers import barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

ARGS = ["--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage"]
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
ADA = Principal("ada", "Ada", Role.ANALYST)
# The style sheet of Plotly's maps, which our policy refuses; we draw none.
HARMLESS = ("sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o=", "Password forms should have")


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, site):
    """A tab that is signed in; at the end it has not complained."""

    @contextmanager
    def _tab(width=1280, locale="en-GB", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, locale=locale, **options
        )
        page = context.new_page()
        page.set_default_timeout(15000)
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        signed_in = site.client(Role.ANALYST).cookies.jar
        context.add_cookies(
            [
                {"name": one.name, "value": one.value, "url": f"{site.url}{one.path}"}
                for one in signed_in
            ]
        )
        page.open = lambda path: page.goto(f"{site.url}/console{path}")
        try:
            yield page
        finally:
            context.close()
        assert [text for text in said if not any(known in text for known in HARMLESS)] == []

    return _tab


@pytest.fixture
def mark(site):
    def _mark(kind, value, **fields):
        wanted = FindingInput(kind=kind, value=value, **fields)
        return findings.mark(site.services.store, ADA, wanted, datetime.now(UTC))[0]

    return _mark


@pytest.mark.parametrize(("width", "locale"), [(1280, "en-GB"), (320, "fr-FR")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_findings_run_nothing_fit_the_page_and_please_axe(tab, mark, width, locale, scheme):
    number = mark("host", HOSTILE + "x" * 190, note=HOSTILE, tags=["odd"]).id
    mark("pair", HOSTILE, group=HOSTILE)
    with tab(width, locale, color_scheme=scheme) as page:
        for path in ("/findings?all=1", f"/findings/{number}"):
            page.open(path)
            assert barriers(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_inbox_is_worked_through_by_keyboard(tab, mark):
    for number in range(3):
        mark("host", f"triage-{number}.example", tags=["triage"])
    with tab() as page:
        page.open("/findings?tags=triage")
        expect(page.locator("#inbox tbody tr")).to_have_count(3)
        page.keyboard.press("j")
        expect(page.locator("#inbox tbody tr").first.locator("th a")).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("e")
        expect(page.locator("#inbox tbody tr")).to_have_count(2)
        expect(page.locator("#inbox")).not_to_contain_text("triage-2")
        expect(page.locator("#inbox tbody tr").first.locator("th a")).to_be_focused()
        page.keyboard.press("v")
        expect(page.locator("#inbox tbody tr").first).to_contain_text("In review")
        expect(page.locator("#inbox tbody tr").first.locator("th a")).to_be_focused()
        page.keyboard.press("?")
        expect(page.locator("#keys dl")).to_be_visible()
        page.keyboard.press("/")
        expect(page.locator("#f-kind")).to_be_focused()
        page.keyboard.press("e")
        expect(page.locator("#inbox tbody tr")).to_have_count(2)
        page.locator("#inbox th a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/findings/\d+$"))


def test_the_live_tail_keeps_to_columns_filters_and_suppressions(tab, site, an_event):
    store = site.services.store
    wanted = SuppressionInput(kind="host", value=".noise.example", reason="our own probes")
    made = suppressing.suppress(store, ADA, wanted, datetime.now(UTC))
    try:
        with tab() as page:
            page.open("/events?last=1h&without=group:legal&columns=host,asn,client")
            page.click("#live-start")
            expect(page.locator("#live-status")).to_contain_text("Live")
            now = datetime.now(UTC)
            site.deliver(
                [
                    an_event(now, host="a.noise.example"),
                    an_event(now, host="legal.example", group="legal"),
                    an_event(now, host="shown.example", asn=64500),
                ]
            )
            fresh = page.locator("#rows tr.fresh")
            expect(fresh).to_have_count(1)
            expect(fresh).to_contain_text("shown.example")
            expect(fresh.locator("td")).to_have_count(4)
            expect(fresh).to_contain_text("64500")
            expect(page.locator("#live-lag")).to_contain_text("s behind")
    finally:
        suppressing.lift(store, ADA, made.id, datetime.now(UTC))


def test_without_scripts_one_searches_marks_and_saves(tab):
    with tab(java_script_enabled=False) as page:
        page.open("/events?last=7d")
        page.fill("#q", "service:slack -group:finance last:7d")
        page.click(".search-box button")
        page.wait_for_url(lambda url: "without=group%3Afinance" in url)
        rows = page.locator("#rows tr").all_inner_texts()
        assert rows
        assert all("Slack" in text and "finance" not in text for text in rows)
        page.click("summary:has-text('Save this view')")
        page.fill("#v-name", "Slack elsewhere")
        page.click(".views-bar button")
        expect(page.locator(".notice")).to_contain_text("Slack elsewhere")
        page.locator("#rows a").first.click()
        page.locator("a:has-text('Mark, hide or raise')").first.click()
        page.fill("#f-note", "first look")
        page.click("section[aria-labelledby=mark-title] button")
        expect(page.locator(".notice")).to_contain_text("Marked")
        expect(page.locator(".history")).to_contain_text("first look")
