"""Private windows, a keyboard alone, a bundle that is broken: what happens in offices."""

from __future__ import annotations

import importlib.resources
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from sovproxy.enforce.browser_policies import FIREFOX_ID
from tests.barriers import RULES, barriers
from tests.extension.firefoxes import Firefox
from tests.extension.policies import extension_id, firefox_with_policy
from tests.extension.test_extension_chromium import MEETING, go

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.browser]

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


# -- private windows ------------------------------------------------------------------------------

OPEN = "(url) => chrome.windows.create({ incognito: true, url }).then(() => true)"


def allow_in_private_windows(profile: Path, extension: str) -> None:
    """What a person does by a switch on chrome://extensions."""
    settings = {"extensions": {"settings": {extension: {"incognito": True}}}}
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(settings))


def test_a_private_window_of_chromium_leads_to_the_prompt_too(chromium, api, built, tmp_path):
    allow_in_private_windows(tmp_path / "profile", extension_id(built / "chromium"))
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/options.html")
        assert page.evaluate("chrome.extension.isAllowedIncognitoAccess()")
        page.evaluate(OPEN, MEETING)
        session = browser.context.new_cdp_session(page)
        for _ in range(100):  # the worker of other windows does not see this one
            targets = session.send("Target.getTargets")["targetInfos"]
            shown = [it for it in targets if it["title"].startswith("Zoom cannot be opened")]
            if shown:
                break
            page.wait_for_timeout(50)
        [url] = [it["url"] for it in shown]
        assert url.startswith(f"{browser.address}/pages/prompt.html#https://us02web.zoom.us")


def test_a_private_window_of_firefox_leads_to_the_prompt_too(built, api, tmp_path):
    """Where the policy allows it, as the one that `sovproxy compile firefox-policy` prints does."""
    settings = {FIREFOX_ID: {"installation_mode": "allowed", "private_browsing": True}}
    policy = {"policies": {"ExtensionSettings": settings}}
    executable = firefox_with_policy(tmp_path / "firefox", policy)
    with Firefox(built / "firefox", tmp_path / "p", "en-GB, en", executable=executable) as firefox:
        firefox.set_api(api.url)
        page = firefox.own("options.html")
        script = f"browser.windows.create({{ incognito: true, url: {json.dumps(MEETING)} }})"
        page.evaluate(f"{script}.then(() => true)")
        page.wait_for(
            "browser.tabs.query({}).then((tabs) => tabs.some((tab) => tab.incognito"
            " && tab.url.includes('pages/prompt.html#https://us02web.zoom.us')"
            " && tab.title.startsWith('Zoom cannot be opened here')))"
        )


# -- a keyboard alone -----------------------------------------------------------------------------

WHERE = """() => {
  const it = document.activeElement;
  return it === document.body ? "" : it.id || it.textContent.trim() || it.tagName;
}"""


def test_everything_on_the_prompt_is_reached_and_used_by_keyboard_alone(chromium, api):
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = browser.context.new_page()
        go(page, MEETING)
        page.get_by_role("heading", level=1).wait_for()
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(WHERE))
            if not reached[-1]:
                break
        wanted = [
            "way-out",
            "Make a room on Visio",
            "room",
            "reply-en",
            "reply-text-en",
            "Copy the reply",
            "Ask for an exception",
            "Contest this decision",
            "Why do I see this page?",
        ]
        assert [name for name in reached if name in wanted] == wanted
        assert "" in reached, "the keyboard is caught"
        page.get_by_role("button", name="Copy the reply").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Copied.")).to_be_visible()
        page.locator("summary", has_text="Ask for an exception").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate(WHERE) == "why"


# -- axe in Firefox -------------------------------------------------------------------------------


def barriers_in_firefox(page) -> list[str]:
    page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")
    page.evaluate(AXE + "; 0")
    return page.evaluate(
        f"axe.run({{ runOnly: {json.dumps(RULES)} }})"
        ".then(({ violations }) => violations.map((it) => it.id))"
    )


def test_no_page_has_a_barrier_that_axe_finds_in_firefox(built, api, tmp_path):
    with Firefox(built / "firefox", tmp_path / "profile", "fr-FR, fr, en") as firefox:
        firefox.set_api(api.url)
        pages = ["options", "popup", "mydata", f"prompt.html#{MEETING}", f"whose.html#{MEETING}"]
        found = {}
        for name in pages:
            page = firefox.own(name if "." in name else f"{name}.html")
            page.wait_for("document.documentElement.lang === 'fr'")
            found[name] = barriers_in_firefox(page)
            page.close()
        assert found == {name: [] for name in pages}


# -- a bundle that is broken ----------------------------------------------------------------------


@contextmanager
def answering(text: str):
    """Something that gives this for a bundle, whoever asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("etag", '"other"')
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_broken_bundle_changes_nothing_and_the_options_say_so(chromium, api):
    good = httpx.get(f"{api.url}/api/v1/bundle").text
    head, _, signature = good.rpartition(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]
    with chromium("en-GB") as browser:
        browser.set_api(api.url)
        before = browser.stored("kept")
        for broken in ("", "no bundle", good[: len(good) // 2], f"{head}.{other}", "a.b.c"):
            with answering(broken) as url:
                browser.set_api(url)
            assert browser.stored("problem"), broken[:20]
            assert browser.stored("kept") == before
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/options.html")
        expect(page.get_by_text("The newest policy could not be taken over")).to_be_visible()
        assert barriers(page) == []
        go(page, MEETING)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Zoom")
