"""The console in a real Chromium, with its content security policy in force."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect, sync_playwright

from sovproxy.usecases.access.tokens import Role
from tests.barriers import barriers

# One Chromium for all: starting one per worker costs more than the tests.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

WIDE, NARROW, NARROWEST = (1280, 900), (375, 700), (320, 600)
ARGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
)
PAGES = (
    "/",
    "/events?last=7d&service=zoom",
    "/events?last=7d",
    "/events?last=7d&suppressed=show&columns=host,asn,client,outcome",
    "/findings?all=1",
    "/findings/thing?kind=service&value=zoom",
    "/findings/suppressions",
    "/findings/raise?kind=service&value=zoom",
    "/views",
    "/resolutions",
    "/explain?q=zoom.us",
    "/catalogue?category=videoconference",
    "/catalogue/services/zoom",
    "/catalogue/operators?q=microsoft",
    "/catalogue/operators/zoom-communications",
    "/catalogue/powers",
    "/catalogue/report",
    "/catalogue/local",
    "/catalogue/local/services/zoom",
    "/catalogue/candidates",
    "/exceptions",
    "/policy",
    "/policy/edit",
    "/policy/history",
    "/policy/simulate",
    "/nodes",
    "/data",
    "/events?last=never",
)
HARMLESS = (
    "Password forms should have",
    "responded with a status of 400",
    # The style sheet of Plotly's maps, which our policy refuses; we draw none.
    "sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o=",
)


@pytest.fixture(scope="module")
def chromium():
    """Closed with its module: Playwright's event loop would disturb tests that start their own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def shown(chromium, site):
    """A tab that is signed in, with all that it asked for and complained of."""

    @contextmanager
    def _shown(size=WIDE, role=Role.ANALYST, locale="en-GB", **options):
        viewport = {"width": size[0], "height": size[1]}
        context = chromium.new_context(viewport=viewport, locale=locale, **options)
        tab = context.new_page()
        tab.set_default_timeout(30000)
        requests, complaints = [], []
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        if role:
            jar = site.client(role).cookies.jar
            context.add_cookies(
                [
                    {"name": cookie.name, "value": cookie.value, "url": f"{site.url}{cookie.path}"}
                    for cookie in jar
                ]
            )
            tab.goto(f"{site.url}/console/")
        try:
            yield SimpleNamespace(
                tab=tab,
                go=lambda path: tab.goto(f"{site.url}/console{path}"),
                requests=requests,
                complaints=lambda: [
                    text for text in complaints if not any(known in text for known in HARMLESS)
                ],
            )
        finally:
            context.close()

    return _shown


@pytest.mark.parametrize(
    ("locale", "size", "scheme"), [("en-GB", WIDE, "light"), ("fr-FR", NARROW, "dark")]
)
def test_axe_finds_nothing_on_any_page_and_the_browser_has_no_complaint(
    shown, site, locale, size, scheme
):
    with shown(size, locale=locale, color_scheme=scheme) as seen:
        found = {}
        for path in PAGES:
            seen.go(path)
            found[path] = barriers(seen.tab)
        assert {path: each for path, each in found.items() if each} == {}
        assert seen.complaints() == []
        assert {url for url in seen.requests if not url.startswith(f"{site.url}/console/")} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_at_the_sign_in_and_on_one_event(shown, scheme):
    with shown(role=None, color_scheme=scheme) as seen:
        for path in ("/sign-in", "/sign-in?ended=1", "/sign-in?left=1"):
            seen.go(path)
            assert barriers(seen.tab) == []
        seen.tab.fill("#token", "wrong")
        seen.tab.click("main button")
        assert barriers(seen.tab) == []
    with shown(color_scheme=scheme) as seen:
        seen.go("/events?last=7d")
        seen.tab.click("#rows a")
        seen.tab.wait_for_selector(".facts")
        assert barriers(seen.tab) == []


@pytest.mark.parametrize("size", [NARROW, NARROWEST, WIDE])
def test_no_page_scrolls_sideways(shown, size):
    """WCAG 1.4.10: tables and charts that need the room scroll by themselves."""
    with shown(size, locale="fr-FR") as seen:
        for path in PAGES:
            seen.go(path)
            width = seen.tab.evaluate("document.documentElement.scrollWidth")
            assert (path, width) == (path, size[0])


def test_hostile_hosts_run_nothing_and_load_nothing(shown, site):
    with shown() as seen:
        for path in ("/", "/events", "/explain?q=<script>alert(1)</script>"):
            seen.go(path)
        seen.go("/events")
        seen.tab.click("#rows tr:has-text('alert(1)') a")
        seen.tab.wait_for_selector(".facts")
        assert seen.complaints() == []
        assert all(url.startswith(f"{site.url}/console/") for url in seen.requests)


def test_a_new_user_finds_who_used_what_outside_the_trust_zone_today(shown):
    with shown() as seen:
        section = seen.tab.locator("section[aria-labelledby=outside-title]")
        row = section.locator("tr", has_text="Microsoft Teams")
        assert "finance" in row.inner_text()
        row.locator("a", has_text="finance").click()
        seen.tab.wait_for_selector("#rows")
        rows = seen.tab.locator("#rows tr").all_inner_texts()
        assert rows
        assert all("Microsoft Teams" in text and "finance" in text for text in rows)


def columns_of(tab, chart):
    """The drawn columns of a chart: their boxes, those without height left out."""
    tab.wait_for_selector(f"#{chart} .barlayer path", state="attached")
    boxes = [path.bounding_box() for path in tab.locator(f"#{chart} .barlayer path").all()]
    return [box for box in boxes if box and box["height"] > 2]


def test_clicking_a_column_narrows_the_range_and_dragging_takes_some(shown):
    with shown() as seen:
        seen.go("/events?last=7d&service=zoom")
        box = columns_of(seen.tab, "histogram")[3]
        seen.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        seen.tab.wait_for_url("**since=**")
        assert "service=zoom" in seen.tab.url
        seen.go("/events?last=7d&service=zoom")
        columns_of(seen.tab, "histogram")
        box = seen.tab.locator("#histogram .drawing").bounding_box()
        middle = box["y"] + box["height"] / 2
        seen.tab.mouse.move(box["x"] + box["width"] * 0.25, middle)
        seen.tab.mouse.down()
        seen.tab.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
        seen.tab.mouse.up()
        seen.tab.wait_for_url("**until=**")
        assert "service=zoom" in seen.tab.url
        assert "last=" not in seen.tab.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_from_the_tables_behind_them(shown, scheme):
    with shown(color_scheme=scheme) as seen:
        seen.go("/?range=7d")
        columns_of(seen.tab, "trend")
        drawn = seen.tab.evaluate(
            "document.querySelector('#trend .drawing').data.map(t => t.y.reduce((a, b) => a + b))"
        )
        told = seen.tab.evaluate(
            """[1, 2, 3, 4].map(n => [...document.querySelectorAll(
            `#trend tbody td:nth-child(${n + 1})`)].reduce((a, td) => a + +td.dataset.value, 0))"""
        )
        assert drawn == told
        patterns = seen.tab.evaluate(
            "document.querySelector('#trend .drawing').data.map(t => t.marker.pattern.shape ?? '')"
        )
        assert patterns == ["", "/", ".", ""]
        role = seen.tab.locator("#flow .drawing").get_attribute("role")
        label = seen.tab.locator("#flow .drawing").get_attribute("aria-label")
        assert (role, "→" in label) == ("img", True)
        assert seen.complaints() == []


def test_a_mark_of_the_flow_leads_to_its_events(shown):
    with shown() as seen:
        seen.go("/?range=7d")
        node = seen.tab.locator("#flow .sankey-node", has_text="Visio").first
        node.locator("rect").first.click(force=True)
        seen.tab.wait_for_url("**/console/events?**")
        assert "service=visio" in seen.tab.url


def test_without_a_script_the_tables_are_there(shown):
    with shown(java_script_enabled=False) as seen:
        seen.go("/?range=7d")
        assert not seen.tab.locator("#flow .drawing").is_visible()
        seen.tab.locator("#flow summary").click()
        assert seen.tab.locator("#flow table").is_visible()


def test_the_live_tail_shows_what_arrives_and_pauses(shown, site, an_event):
    with shown() as seen:
        seen.go("/events?service=zoom")
        seen.tab.click("#live-start")
        expect(seen.tab.locator("#live-status")).to_contain_text("Live")
        site.deliver([an_event(datetime.now(UTC), host="<b>first</b>.zoom.us")])
        seen.tab.wait_for_selector("#rows tr.fresh")
        first = seen.tab.locator("#rows tr").first.inner_text()
        assert "<b>first</b>.zoom.us" in first
        assert "Zoom" in first
        seen.tab.click("#live-pause")
        site.deliver([an_event(datetime.now(UTC), host="second.zoom.us")])
        expect(seen.tab.locator("#live-status")).to_contain_text("1 waiting")
        assert seen.tab.locator("#rows tr.fresh").count() == 1
        seen.tab.click("#live-pause")
        assert "second.zoom.us" in seen.tab.locator("#rows tr").first.inner_text()
        assert seen.complaints() == []


def test_an_auditor_reads_the_audit_and_no_events(shown):
    with shown(role=Role.AUDITOR) as seen:
        assert seen.tab.locator("nav a[href='/console/events']").count() == 0
        assert seen.go("/events?last=7d").status == 403
        seen.tab.locator("nav a", has_text="Audit").click()
        assert seen.tab.locator("tbody tr").count() > 0


def test_an_analyst_exports_what_the_filter_finds(shown):
    with shown() as seen:
        seen.go("/events?last=7d&service=slack")
        with seen.tab.expect_download() as download:
            seen.tab.click("a[download]:has-text('CSV')")
        lines = download.value.path().read_text("utf-8").splitlines()
        assert len(lines) > 2
        assert all("slack" in line for line in lines[1:])


def test_without_scripts_pages_filter_and_narrow(shown):
    with shown(java_script_enabled=False) as seen:
        seen.go("/events?last=7d")
        seen.tab.click("summary:has-text('Add filters')")
        seen.tab.select_option("#f-service", "zoom")
        seen.tab.click("details button:has-text('Search')")
        texts = seen.tab.locator("#rows tr").all_inner_texts()
        assert texts
        assert all("Zoom" in text for text in texts)
