"""The extension in a real Chromium, with a real API behind it and no certificate installed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Error, expect

from tests.barriers import barriers

pytestmark = [pytest.mark.browser]

MEETING = "https://us02web.zoom.us/j/123?pwd=abc"


def go(page, url: str) -> None:
    """Navigate; that nothing answers under the address is no failure of the test."""
    try:
        page.goto(url, wait_until="load")
    except Error as error:
        assert "ERR_NAME_NOT_RESOLVED" in str(error), error  # noqa: PT017  # any other is one


def test_a_meeting_link_leads_to_the_prompt_before_a_byte_leaves(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        go(page, MEETING)
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "Zoom ne peut pas être ouvert ici"
        )
        expect(page.get_by_role("link", name="Ouvrir Visio").first).to_have_attribute(
            "href", "https://visio.numerique.gouv.fr"
        )
        sent = [url for url in asked if url.startswith("http") and url != MEETING]
        assert sent == []


def test_the_prompt_has_no_barrier_that_axe_finds(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        go(page, MEETING)
        page.get_by_role("heading", level=1).wait_for()
        assert barriers(page) == []


def test_two_clicks_open_the_alternative_and_put_the_reply_on_the_clipboard(chromium, api):
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = browser.context.new_page()
        go(page, MEETING)
        page.get_by_role("button", name=re.compile("copy", re.IGNORECASE)).first.click()
        expect(page.get_by_text("Copied. Paste it")).to_be_visible()
        assert "Visio" in page.evaluate("navigator.clipboard.readText()")
        wanted = "https://visio.numerique.gouv.fr/"
        with browser.context.expect_event("request", lambda sent: sent.url == wanted):
            page.locator("#way-out").click()


def test_other_sites_are_left_alone(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto("https://visio.numerique.gouv.fr/abc-defg-hij")


def test_without_the_api_the_last_good_bundle_stays_in_force(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        api.stop()
        browser.refresh()
        assert browser.stored("problem")
        page = browser.context.new_page()
        go(page, MEETING)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Zoom")


def test_a_policy_that_changes_is_followed(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        text = api.policy.read_text("utf-8")
        api.policy.write_text(
            re.sub(
                r"(?m)^rules:\n",
                "rules:\n  - id: zoom-passes\n    when: {service: zoom}\n    action: allow\n",
                text,
                count=1,
            )
        )
        version = browser.stored("kept")["bundle"]["version"]
        for _ in range(200):
            browser.refresh()
            if browser.stored("kept")["bundle"]["version"] != version:
                break
        page = browser.context.new_page()
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(MEETING)


# The popup shows the tab in front; opened as a tab by itself it is in front, so it is told which.
LOOK_AT_MAIL = """
const query = chrome.tabs.query.bind(chrome.tabs);
const isMail = (tab) => tab.url?.includes("mail.example");
chrome.tabs.query = async () => (await query({})).filter(isMail);
"""


def test_the_popup_tells_where_a_page_stands_and_what_else_it_loads(chromium, api, mail):
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        page.goto(mail)
        popup = browser.context.new_page()
        popup.add_init_script(LOOK_AT_MAIL)
        for _ in range(40):  # what a page loads is counted a moment later
            popup.goto(f"{browser.address}/pages/popup.html")
            popup.get_by_role("heading", level=1).wait_for()
            if popup.get_by_role("row").count() > 2:
                break
        expect(popup.get_by_role("heading", level=1)).to_have_text("mail.example")
        expect(popup.locator(".standing")).to_contain_text("unknown")
        expect(popup.get_by_role("row", name="United States 2")).to_be_visible()
        assert barriers(popup) == []


def test_the_options_take_an_address_and_show_the_policy_in_force(chromium, api):
    with chromium("fr-FR") as browser:
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/options.html")
        page.get_by_label("Adresse de sovproxy").fill(api.url)
        page.get_by_role("button", name="Enregistrer").first.click()
        expect(page.get_by_text("fr-etat")).to_be_visible()
        assert barriers(page) == []


def test_a_page_on_the_web_cannot_give_itself_leave(chromium, api, mail):
    """Content scripts stand on foreign ground: of the background they may ask about links only."""
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        page.goto(mail)
        session = browser.context.new_cdp_session(page)
        contexts: list[dict] = []
        session.on(
            "Runtime.executionContextCreated", lambda found: contexts.append(found["context"])
        )
        session.send("Runtime.enable")
        ours = next(item for item in contexts if item["origin"].startswith("chrome-extension"))
        asked = session.send(
            "Runtime.evaluate",
            {
                "contextId": ours["id"],
                "expression": "chrome.runtime.sendMessage({kind: 'acknowledge', subject: 'zoom'})",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        assert "only our own pages" in asked["result"]["value"]["problem"]
        assert not browser.stored("lifts")
