"""Any site can open the extension's prompt: nothing in the address runs, and nothing odd opens."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser]

ODD = (
    "javascript:window.ran=1",
    "javascript:1//visio.numerique.gouv.fr/%0awindow.ran=1",
    "data:text/html,<script>window.ran=1</script>",
    "file:///etc/passwd",
    "chrome://settings",
    "blob:https://visio.numerique.gouv.fr/x",
    "//visio.numerique.gouv.fr",
    "https://<img src=x onerror=window.ran=1>.zoom.us/",
    'https://zoom.us/"><script>window.ran=1</script>',
    "",
)


def test_no_site_can_make_the_prompt_run_or_open_what_is_no_web_address(chromium, api):
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        said: list[str] = []
        page.on("dialog", lambda dialog: said.append(dialog.message))
        for text in ODD:
            page.goto("about:blank")
            page.goto(f"{browser.address}/pages/prompt.html#{text}")
            page.wait_for_timeout(250)
            assert page.evaluate("window.ran") is None, text
            if page.url.startswith(browser.address):
                assert page.locator("img, script:not([src])").count() == 0, text
            assert page.url.startswith((browser.address, "https://", "chrome-error://")), text
        assert said == []


def test_an_allowed_web_address_is_opened(chromium, api):
    """Otherwise the refusals above would prove nothing."""
    with chromium() as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        wanted = "https://visio.numerique.gouv.fr/a"
        with page.expect_request(wanted):  # nobody answers there; it was asked
            page.goto(f"{browser.address}/pages/prompt.html#{wanted}", wait_until="commit")
