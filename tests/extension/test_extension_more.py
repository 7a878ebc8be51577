"""The popup asks the server only when the person clicks, and says so when it cannot be asked."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser]

LOOK_AT_ZOOM = (
    "chrome.tabs.query = async () => [{ id: 1, url: 'https://us02web.zoom.us/j/1?pwd=secret' }];"
)


def popup_of(browser):
    """The popup on a tab with a Zoom link, and what it asks for from then on."""
    page = browser.context.new_page()
    page.add_init_script(LOOK_AT_ZOOM)
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.url) if it.url.startswith("http") else None)
    page.goto(f"{browser.address}/pages/popup.html")
    page.get_by_role("heading", level=1).wait_for()
    return page, asked


def test_the_server_is_asked_about_the_host_alone_and_only_after_a_click(chromium, api):
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        browser.be_known(api)
        page, asked = popup_of(browser)
        assert asked == []
        page.get_by_role("button", name="Ask the server for more").click()
        expect(page.get_by_role("status")).to_contain_text("Zoom (videoconference) is run by Zoom")
        expect(page.get_by_role("status").get_by_role("listitem").first).to_be_visible()
        assert asked == [f"{api.url}/api/v1/check?q=us02web.zoom.us"]


def test_without_a_proxy_that_vouches_the_popup_says_that_nobody_can_be_asked(chromium, api):
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        page, _ = popup_of(browser)
        page.get_by_role("button", name="Ask the server for more").click()
        expect(page.get_by_role("status")).to_have_text("The server cannot be asked now.")
