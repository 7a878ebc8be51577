"""The page of papers in a real Chromium: axe, both widths, in the browser's language."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from sovproxy.usecases.access.tokens import Role
from tests.barriers import barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]


@pytest.fixture(scope="module")
def chromium():
    """Closed with its module: Playwright's event loop would disturb tests that start their own."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield browser
        browser.close()


@pytest.mark.parametrize(
    ("locale", "width", "scheme"), [("fr-FR", 1280, "light"), ("de-DE", 375, "dark")]
)
def test_the_page_of_papers_is_readable_by_everybody(chromium, site, locale, width, scheme):
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, locale=locale, color_scheme=scheme
    )
    for cookie in site.client(Role.ADMIN).cookies.jar:
        place = f"{site.url}{cookie.path}"
        context.add_cookies([{"name": cookie.name, "value": cookie.value, "url": place}])
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(f"{site.url}/console/papers")
    assert barriers(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    if folder := os.environ.get("SOVPROXY_PICTURES"):
        path = Path(folder) / f"console-papers-{locale[:2]}-{width}.png"
        tab.screenshot(path=str(path), full_page=True)
    tab.click("a[href$='/papers/notice.fr']")
    assert tab.title().startswith("Information du personnel")
    assert said == []
    context.close()
