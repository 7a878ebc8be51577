"""What the proxy refuses without a page of its own, the extension explains."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from tests.lab.proxies import Proxy

pytestmark = [pytest.mark.browser, pytest.mark.lab]

PROFILE = Path(__file__).parents[2] / "sovproxy" / "policy" / "profiles" / "fr-etat.yaml"
IN_A_PREFIX_OF_ZOOM = "134.224.0.1"
"""The rules for the browser know names only."""


@pytest.fixture
def proxy(tmp_path):
    """A real mitmdump that decrypts nothing."""
    text = PROFILE.read_text("utf-8")
    assert "\ninspection: prompt" in text
    policy = tmp_path / "proxy-policy.yaml"
    policy.write_text(text.replace("\ninspection: prompt", "\ninspection: none"), "utf-8")
    made = Proxy(tmp_path / "proxy", {"SOVPROXY_POLICY": str(policy)})
    made.start()
    yield made
    made.stop()


def go(page, url: str) -> str:
    """Navigate, and give the error that the browser's own page shows."""
    try:
        page.goto(url)
    except Error as error:
        return str(error)
    return ""


def test_a_refused_connect_shows_our_explanation_instead_of_an_error(chromium, api, proxy):
    with chromium("fr-FR", (1280, 900), f"--proxy-server={proxy.url}") as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        go(page, f"https://{IN_A_PREFIX_OF_ZOOM}/j/1?pwd=a")
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Zoom ne peut pas être ouvert ici")
        assert page.url.endswith(f"pages/prompt.html#https://{IN_A_PREFIX_OF_ZOOM}/j/1?pwd=a")
        refused = proxy.wait_for_events(action="block")
        assert refused


def test_a_broken_site_that_may_be_opened_keeps_the_browsers_own_page(chromium, api, proxy):
    with chromium("fr-FR", (1280, 900), f"--proxy-server={proxy.url}") as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        assert "ERR_" in go(page, "https://visio.numerique.gouv.fr/a")
        page.wait_for_timeout(300)  # what did not come by then does not come
        assert not page.url.startswith(browser.address)


def test_before_there_is_a_policy_errors_stay_what_they_are(chromium, proxy):
    with chromium("fr-FR", (1280, 900), f"--proxy-server={proxy.url}") as browser:
        page = browser.context.new_page()
        assert "ERR_TUNNEL_CONNECTION_FAILED" in go(page, f"https://{IN_A_PREFIX_OF_ZOOM}/")
        page.wait_for_timeout(300)
        assert not page.url.startswith(browser.address)
