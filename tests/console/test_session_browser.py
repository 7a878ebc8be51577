"""A session that ends while somebody is at work, in a real Chromium: nothing entered is lost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect, sync_playwright

from sovproxy.settings import Settings
from sovproxy.usecases.access.tokens import Role, list_tokens, revoke_token
from tests.barriers import barriers
from tests.console.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

ARGS = ("--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage")


@pytest.fixture
def site(tmp_path):
    found = Site(Settings(data_dir=tmp_path, policy="eu", node="proxy-1"))
    yield found
    found.stop()


@pytest.fixture
def tab(site):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        context = browser.new_context(base_url=site.url, locale="en-GB")
        page = context.new_page()
        page.set_default_timeout(15000)
        sign_in(page, site, Role.ADMIN)
        yield page
        browser.close()


def sign_in(page, site, role):
    page.goto("/console/sign-in")
    page.click("summary:has-text('token')")
    page.fill("#token", site.token(role))
    page.locator("form:has(#token) button").last.click()
    page.wait_for_url("**/console/")


def end_session(site):
    store = site.services.store
    for token in list_tokens(store):
        if token.role == Role.ADMIN:
            revoke_token(store, token.id)


def test_a_policy_that_is_being_written_outlives_its_session(tab, site):
    tab.goto("/console/policy/edit")
    text = tab.locator("#text")
    mine = text.input_value().replace("title:", "# an hour of work\ntitle:", 1)
    end_session(site)
    text.fill(mine)
    expect(tab.locator("#session-ended")).to_be_visible()
    expect(tab.locator("#verdict")).to_have_text("It cannot be checked: you are signed out.")
    tab.click("button[value=save]")
    expect(tab.locator("section:has(button[value=save]) #session-ended")).to_be_visible()
    assert text.input_value() == mine
    assert tab.url.endswith("/console/policy/edit")
    assert barriers(tab) == []

    with tab.expect_popup() as popup:
        tab.click("#session-ended a")
    sign_in(popup.value, site, Role.ADMIN)
    popup.value.close()
    tab.click("button[value=save]")
    tab.wait_for_url("**/policy/edit?draft=*")
    assert text.input_value() == mine


def test_the_check_goes_on_after_a_new_sign_in_elsewhere(tab, site):
    tab.goto("/console/policy/edit")
    text = tab.locator("#text")
    good = text.input_value()
    end_session(site)
    other = tab.context.new_page()
    sign_in(other, site, Role.ADMIN)
    other.close()
    text.fill(good.replace("category:", "categori:", 1))
    expect(tab.locator("#verdict")).to_have_text("1 error")


def test_a_form_stays_filled_while_the_server_is_away(tab):
    tab.goto("/console/policy/edit")
    tab.fill("#f-comment", "Kept")
    tab.route("**/api/v1/session", lambda route: route.abort())
    tab.click("button[value=save]")
    expect(tab.locator("#session-away")).to_be_visible()
    expect(tab.locator("#f-comment")).to_have_value("Kept")
    tab.unroute("**/api/v1/session")
    tab.click("button[value=save]")
    tab.wait_for_url("**/policy/edit?draft=*")


def test_the_live_tail_says_that_the_session_ended_and_begins_again(tab, site, an_event):
    tab.goto("/console/events")
    end_session(site)
    tab.click("#live-start")
    expect(tab.locator("#live-status")).to_contain_text("may have ended")
    expect(tab.locator("#live-start")).to_be_visible()
    expect(tab.locator("#live-sign-in")).to_be_visible()
    assert barriers(tab) == []
    with tab.expect_popup() as popup:
        tab.click("#live-sign-in")
    sign_in(popup.value, site, Role.ADMIN)
    popup.value.close()
    tab.click("#live-start")
    expect(tab.locator("#live-status")).to_contain_text("Live")
    expect(tab.locator("#live-sign-in")).to_be_hidden()
    site.deliver([an_event(datetime.now(UTC), host="again.zoom.us")])
    expect(tab.locator("#rows tr.fresh")).to_contain_text("again.zoom.us")
