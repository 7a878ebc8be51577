"""What axe finds on a page that a browser of a test shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]


def barriers(page: Page) -> list[str]:
    """Every violation of WCAG 2.2 AA and of axe's best practices, with everything unfolded.

    It waits for the page's style: a page that is still loading has barriers of its own.
    """
    page.wait_for_load_state()
    page.evaluate("document.querySelectorAll('details').forEach(item => { item.open = true })")
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{item['id']}: {[node['html'][:200] for node in item['nodes'][:3]]}" for item in found]
