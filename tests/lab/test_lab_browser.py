"""A real Chromium, as a worker uses it: stopped, shown the way, and going on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from tests.barriers import barriers
from tests.lab.browsers import chromium
from tests.lab.proxies import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.lab, pytest.mark.browser, pytest.mark.xdist_group("lab-browser")]

KEEP_SCREENSHOT = "SOVPROXY_KEEP_SCREENSHOTS"
"""Set it to 1 to write docs/images/chromium-prompt-fr.png anew."""

SCREENSHOT = ROOT / "docs" / "images" / "chromium-prompt-fr.png"


@pytest.fixture(scope="module")
def node(start_shared_proxy):
    """A proxy of the browser's own. Visio's address has no port, so its name leads to the lab."""
    return start_shared_proxy()


@pytest.fixture(scope="module")
def browser(node, authority, tmp_path_factory):
    home: Path = tmp_path_factory.mktemp("home")
    with chromium(node, home, node.authority, authority.certificate) as context:
        yield context


@pytest.fixture
def page(browser):
    opened = browser.new_page()
    yield opened
    for each in browser.pages[1:]:
        each.close()


@pytest.fixture
def meeting(origins):
    return f"https://zoom.us:{origins.zoom.port}/j/123"


@pytest.fixture
def requests(page):
    """Every address that the page asks for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_a_worker_who_opens_a_meeting_sees_the_prompt_in_french(page, meeting, requests, origins):
    answer = page.goto(meeting)
    assert answer.status == 451
    assert page.locator("html").get_attribute("lang") == "fr"
    assert "Visio" in page.locator("h1 + .lead").inner_text()
    assert page.locator("#way-out").get_attribute("href") == "https://visio.numerique.gouv.fr"
    assert "Ministère des Essais" in page.inner_text("header")
    assert [url for url in requests if not url.startswith("data:")] == [meeting]
    assert origins.zoom.hits == 0


def test_the_page_is_served_under_a_certificate_that_the_browser_accepts(page, meeting):
    details = page.goto(meeting).security_details()
    assert details["subjectName"] == ""  # the name stands in the alternative names only
    assert details["issuer"] == "sovproxy: Zoom"


def test_axe_finds_nothing(page, meeting, origins):
    for url in (meeting, f"https://slack.com:{origins.slack.port}/"):
        page.goto(url)
        assert barriers(page) == []


def test_the_primary_button_leads_to_visio(browser, page, meeting, origins):
    page.goto(meeting)
    visio = f"https://visio.numerique.gouv.fr:{origins.visio.port}"
    # The service lives on port 443, the lab's origin does not: only the port is changed.
    browser.route(
        "https://visio.numerique.gouv.fr/", lambda route: route.continue_(url=f"{visio}/")
    )
    with page.expect_popup() as opened:
        page.click("#way-out")
    target = opened.value
    target.wait_for_load_state()
    assert target.locator("h1").inner_text() == "Visio /"
    assert target.evaluate("window.opener") is None
    assert origins.visio.wait_for_call().server_name == "visio.numerique.gouv.fr"


def test_the_reply_can_be_copied_with_the_rooms_link(browser, page, meeting):
    browser.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(meeting)
    page.fill("#room", "https://visio.numerique.gouv.fr/abc-defg-hij")
    page.locator("[data-copies]:visible").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "https://visio.numerique.gouv.fr/abc-defg-hij" in copied
    assert "Visio" in copied
    assert page.locator("#reply-status").inner_text()


def test_everything_works_with_the_keyboard_alone(page, meeting):
    page.goto(meeting)
    seen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert "way-out" in seen
    assert "room" in seen
    assert "SUMMARY" in seen


def test_going_on_leads_to_the_services_own_page_undecrypted(page, origins, node):
    warned = f"https://slack.com:{origins.slack.port}/archives?channel=7"
    page.goto(warned)
    assert origins.slack.hits == 0
    page.select_option("#reason", "partner")
    page.fill("#detail", "réunion avec la préfecture")
    page.click(".go-on button[type=submit]")
    page.wait_for_selector("h1:has-text('Slack')")
    assert page.locator("h1").inner_text() == "Slack /archives?channel=7"
    details = page.goto(f"https://slack.com:{origins.slack.port}/next").security_details()
    assert "Lab Root" in details["issuer"]
    events = node.events(service="slack")
    assert events[0]["outcome"] == "prompted"
    (went_on,) = [e for e in events if e["kind"] == "acknowledgement"]
    assert "partner: réunion avec la préfecture" in went_on["reason"]


def test_a_script_of_an_allowed_page_gets_a_problem_for_a_blocked_host(page, origins, monkeypatch):
    target = f"https://zoom.us:{origins.zoom.port}/api"
    told = "r => document.title = r.status, e => document.title = 'closed'"
    script = f"<script>fetch('{target}').then({told})</script>"
    monkeypatch.setattr(origins.neutral, "page", lambda _path: f"<!doctype html>{script}".encode())
    page.goto(f"http://neutral.example:{origins.neutral.port}/")
    page.wait_for_function("document.title !== ''")
    assert page.title() in {"451", "closed"}  # without CORS fields the script may not read it
    assert origins.zoom.hits == 0


def test_a_blocked_frame_in_an_allowed_page_shows_no_foreign_content(page, origins, monkeypatch):
    frame = f'<iframe src="https://zoom.us:{origins.zoom.port}/wc/join"></iframe>'
    monkeypatch.setattr(origins.neutral, "page", lambda _path: f"<!doctype html>{frame}".encode())
    page.goto(f"http://neutral.example:{origins.neutral.port}/")
    page.wait_for_load_state("networkidle")
    assert origins.zoom.hits == 0


def test_a_websocket_of_a_page_to_an_allowed_host_works(page, origins):
    page.goto(f"https://visio.numerique.gouv.fr:{origins.visio.port}/")
    opened = page.evaluate(
        """() => new Promise(resolve => {
            const socket = new WebSocket(`wss://${location.host}/rtc`);
            socket.onopen = () => resolve('open');
            socket.onerror = () => resolve('error');
        })"""
    )
    assert opened == "open"


def take_picture(page, path, attempts=3):
    """Chromium on a busy machine sometimes has no frame to give yet; then it is asked again."""
    for left in reversed(range(attempts)):
        try:
            return page.screenshot(path=path)
        except Error as error:
            if not left or "Unable to capture screenshot" not in str(error):
                raise
            page.wait_for_timeout(500)
    return None


def test_the_picture_for_the_readme_is_taken_when_asked_for(page, origins, tmp_path):
    page.goto(f"https://zoom.us:{origins.zoom.port}/j/123")
    keep = os.environ.get(KEEP_SCREENSHOT) == "1"
    path = SCREENSHOT if keep else tmp_path / "prompt.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    take_picture(page, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert int.from_bytes(path.read_bytes()[16:20]) == 1280
