"""Editing a policy in a real Chromium: problems while one types, and the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect, sync_playwright

from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role
from tests.barriers import barriers
from tests.console.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

ARGS = ("--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage")


@pytest.fixture
def tab(tmp_path):
    site = Site(Settings(data_dir=tmp_path, policy="eu", node="proxy-1"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        context = browser.new_context(base_url=site.url, locale="en-GB")
        client = site.client(Role.ADMIN)
        cookies = [
            {"name": c.name, "value": c.value, "domain": "127.0.0.1", "path": c.path}
            for c in client.cookies.jar
        ]
        client.close()
        context.add_cookies(cookies)
        yield context.new_page()
        browser.close()
    site.stop()


def test_a_policy_is_edited_checked_and_applied(tab):
    tab.goto("/console/policy/edit")
    text = tab.locator("#text")
    good = text.input_value()
    text.fill(good.replace("category:", "categori:", 1))
    expect(tab.locator("#verdict")).to_have_text("1 error")
    expect(tab.locator("#findings")).to_contain_text("did you mean `category`")
    assert barriers(tab) == []
    tab.click("#findings button")
    chosen = "el => el.value.slice(el.selectionStart, el.selectionEnd)"
    assert "categori:" in text.evaluate(chosen)
    tab.keyboard.press("Tab")
    expect(text).not_to_be_focused()

    text.fill(good.replace("action: observe", "action: warn", 1))
    expect(tab.locator("#verdict")).to_have_text("No error: it can be applied.")
    tab.click("button[value=review]")
    tab.wait_for_url("**/policy/diff?draft=*")
    expect(tab.locator("main")).to_contain_text("Changed:")
    assert barriers(tab) == []
    tab.fill("#f-comment", "Clouds warn")
    tab.click("text=Apply to all nodes")
    tab.wait_for_url("**/console/policy")
    expect(tab.locator("main")).to_contain_text("Clouds warn")

    tab.goto("/console/policy/history")
    tab.click("summary:has-text('Roll back to 1')")
    tab.click("details[open] button")
    expect(tab.locator("main")).to_contain_text("rolled back to version 1")
    assert barriers(tab) == []
