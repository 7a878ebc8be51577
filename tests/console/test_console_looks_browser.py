"""How pages look in a real Chromium: words stay whole, long names wrap, few are counted in ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import sync_playwright

from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role
from tests.console.conftest import Site, an_event

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

ARGS = ("--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage")
LONG = "S" * 100
PAGES = ("/", "/events?last=7d", "/policy", "/policy/history", "/findings?all=1", "/audit",
         "/catalogue/candidates", "/catalogue?q=zoom", "/catalogue/operators?q=microsoft",
         "/policy/simulate", "/accounts")  # fmt: skip
BROKEN = """
() => [...document.querySelectorAll("main td, main tbody th")].flatMap(cell => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!parent.checkVisibility() || parent.closest(".aside, pre, code, svg")) continue;
    for (const {0: word, index} of node.data.matchAll(/(?<!\\S)\\p{L}{2,15}(?!\\S)/gu)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
      if (lines.size > 1) found.push(word);
    }
  }
  return found;
})
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(Settings(data_dir=tmp_path_factory.mktemp("looks"), policy="fr-etat", node="p"))
    now = datetime.now(UTC)
    long = {"service": LONG, "group": "g" * 60, "host": f"{'h' * 60}.{'h' * 60}.example"}
    rule = {"rule": "collaboration", "service": "google-workspace", "group": "direction"}
    none = {"service": "", "operator": "", "host": f"{'m' * 60}.example"}
    found.deliver([an_event(now, **fields) for fields in (long, rule, none)])
    yield found
    found.stop()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, site):
    def signed_in(width, locale="fr-FR", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, locale=locale, base_url=site.url, **options
        )
        contexts.append(context)
        jar = site.client(Role.ADMIN).cookies.jar
        context.add_cookies(
            [{"name": c.name, "value": c.value, "domain": "127.0.0.1", "path": c.path} for c in jar]
        )
        return context.new_page()

    contexts = []
    yield signed_in
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_long_names_make_no_page_wider_than_its_window(tab, width):
    page, wide = tab(width), {}
    for path in PAGES:
        page.goto(f"/console{path}")
        found = page.evaluate("document.documentElement.scrollWidth")
        if found != width:
            wide[path] = found
    assert wide == {}


@pytest.mark.parametrize("width", [320, 1280])
def test_tables_break_no_ordinary_word_in_two(tab, width):
    page, broken = tab(width), {}
    for path in PAGES:
        page.goto(f"/console{path}")
        if found := page.evaluate(BROKEN):
            broken[path] = found
    assert broken == {}


def test_few_connections_are_counted_in_ones(tab):
    page = tab(1280)
    page.goto("/console/events?last=7d&service=google-workspace")
    page.wait_for_selector("#histogram .ytick", state="attached")
    ticks = page.locator("#histogram .ytick").all_text_contents()
    assert ticks == ["0", "1"]


def test_forced_colours_show_where_one_is(tab):
    page = tab(1280, forced_colors="active")
    page.goto("/console/events?last=7d")
    outline = "el => getComputedStyle(el).outlineStyle"
    for kind in (".sections", ".tabs"):
        here = page.locator(f"{kind} [aria-current]").first
        other = page.locator(f"{kind} a:not([aria-current])").first
        assert (here.evaluate(outline), other.evaluate(outline)) == ("solid", "none")


def test_a_candidate_can_be_added_by_one_link(tab):
    page = tab(1280, locale="en-GB")
    page.goto("/console/catalogue/candidates")
    assert page.locator("tbody tr").count() == 1
    assert page.locator("tbody a", has_text="Add to the catalogue").count() == 1
