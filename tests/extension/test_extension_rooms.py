"""From the prompt to a room on Visio: by the API, by Visio's own button, by hand."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from tests.barriers import barriers
from tests.extension.conftest import Api
from tests.extension.visios import CLIENT_ID, OWNER, SECRET, SLUG, Visio, make_certificate

MEETING = "https://us02web.zoom.us/j/123?pwd=abc"
HOST = "visio.numerique.gouv.fr"
CORE = Path(__file__).parents[2] / "extension" / "core" / "rooms.js"
BROWSER = pytest.mark.browser


def api_with(folder, visio) -> Api:
    """An API whose administration has set up this Visio."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    return Api(
        folder,
        "fr-etat",
        visio_url=visio.url,
        visio_client_id=CLIENT_ID,
        visio_client_secret_file=secret,
        visio_owner=OWNER,
    )


def prompt_of(browser):
    """The prompt of a Zoom link."""
    page = browser.context.new_page()
    with suppress(Error):  # a navigation that is led elsewhere counts as broken off
        page.goto(MEETING)
    page.get_by_role("heading", level=1).wait_for()
    return page


def texts(page) -> list[str]:
    """The reply, in every language."""
    return [area.input_value() for area in page.locator("#reply textarea").all()]


@pytest.fixture
def set_up(chromium, tmp_path):
    """A Chromium of a known worker, an API that makes rooms, and the Visio that it asks."""
    with Visio() as visio:
        api = api_with(tmp_path, visio)
        try:
            with chromium("en-GB") as browser:
                browser.set_api(api.url)
                browser.be_known(api)
                yield browser, visio
        finally:
            api.stop()


@BROWSER
def test_one_click_makes_a_room_and_fills_the_reply_in_every_language(set_up):
    browser, visio = set_up
    page = prompt_of(browser)
    page.wait_for_timeout(200)
    assert page.locator("iframe").count() == 0
    assert visio.asked == []  # nobody is asked before the click
    page.locator("#reply-text-en").fill("Dear Ada,\n" + texts(page)[0])
    page.get_by_role("button", name="Make a room on Visio").click()
    expect(page.get_by_text("The room is ready")).to_be_visible()
    room = f"{visio.url}/{SLUG}"
    expect(page.get_by_label("Paste its link")).to_have_value(room)
    expect(page.get_by_role("link", name="Open the room")).to_have_attribute("href", room)
    assert [text.count(room) for text in texts(page)] == [1, 1, 1, 1]
    assert texts(page)[0].startswith("Dear Ada,")
    assert barriers(page) == []
    assert [path for _, path, _ in visio.asked] == [
        "/external-api/v1.0/application/token/",
        "/external-api/v1.0/rooms/",
    ]


@pytest.fixture
def visios_own(chromium, api, tmp_path):
    """A Chromium in which Visio's own pages stand under Visio's own name."""
    certificate = make_certificate(tmp_path / "visio.pem", HOST)
    with Visio(certificate) as visio:
        rules = f"MAP {HOST}:443 127.0.0.1:{visio.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        switches = (f"--host-resolver-rules={rules}", "--ignore-certificate-errors")
        with chromium("fr-FR", (1280, 900), *switches) as browser:
            browser.set_api(api.url)
            yield browser, visio


def press_visios_button(page):
    """Have Visio's own button shown, and press it; gives the window that it opens."""
    page.get_by_role("button", name="Créer un salon sur Visio").click()
    button = page.frame_locator("iframe").get_by_role("button", name="Créer un lien Visio")
    with page.expect_popup() as opened:
        button.click()
    return opened.value


@BROWSER
def test_without_the_api_visios_own_button_makes_the_room_after_signing_in(visios_own):
    browser, visio = visios_own
    page = prompt_of(browser)
    popup = press_visios_button(page)
    popup.get_by_role("button", name="S’identifier").click()
    expect(page.get_by_text("Le salon est prêt")).to_be_visible()
    expect(page.get_by_label("Collez son lien")).to_have_value(f"https://{HOST}/{SLUG}")
    assert all(f"https://{HOST}/{SLUG}" in text for text in texts(page))
    assert page.locator("iframe").count() == 0
    assert popup.is_closed()
    assert barriers(page) == []
    assert {"/sdk/create-button", "/sdk/create-popup"} <= {path for _, path, _ in visio.asked}


@BROWSER
def test_a_room_elsewhere_is_not_taken_from_visios_button(visios_own):
    browser, visio = visios_own
    visio.room_host = f"https://{HOST}.evil.example"
    page = prompt_of(browser)
    press_visios_button(page).get_by_role("button", name="S’identifier").click()
    page.wait_for_timeout(500)
    expect(page.get_by_label("Collez son lien")).to_have_value("")
    assert not any("evil" in text for text in texts(page))
    assert barriers(page) == []


@BROWSER
def test_where_nothing_answers_the_page_says_what_to_do_by_hand(chromium, api):
    with chromium("en-GB", (360, 800)) as browser:
        browser.set_api(api.url)
        page = prompt_of(browser)
        page.get_by_role("button", name="Make a room on Visio").click()
        expect(page.get_by_text("Does nothing appear? Open Visio, make a room")).to_be_visible()
        link = page.locator("#room-place").get_by_role("link", name="Open Visio")
        expect(link).to_have_attribute("href", f"https://{HOST}")
        field = page.get_by_label("Paste its link")
        field.fill("https://zoom.us/j/1")
        expect(page.get_by_text("This is not a link of Visio.")).to_be_visible()
        field.fill("ABCdefghij")
        assert all(f"https://{HOST}/abc-defg-hij" in text for text in texts(page))
        field.fill("")
        assert not any("abc-defg-hij\n" in text for text in texts(page))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


# -- what is believed to be a room ----------------------------------------------------------------

ROOMS = {
    "https://visio.numerique.gouv.fr/abc-defg-hij": True,
    "http://127.0.0.1:8000/abc-defg-hij": True,
    "http://visio.numerique.gouv.fr/abc-defg-hij": False,
    "https://visio.numerique.gouv.fr/abc-defg-hij?a=b": False,
    "https://visio.numerique.gouv.fr/abc-defg-hij#a": False,
    "https://visio.numerique.gouv.fr/abc-defg-hij ": False,
    "https://visio.numerique.gouv.fr/ABC-defg-hij": False,
    "https://a:b@visio.numerique.gouv.fr/abc-defg-hij": False,
    "https://visio.numerique.gouv.fr/": False,
    "https:visio.numerique.gouv.fr/abc-defg-hij": False,
    "javascript:alert(1)//abc-defg-hij": False,
    "": False,
}
SAYS = """
import { isRoom, roomIn } from %s;
const [rooms, messages] = %s;
const origin = "https://visio.numerique.gouv.fr";
console.log(JSON.stringify([rooms.map(isRoom), messages.map((it) => roomIn(it, origin))]));
"""


def message(origin=f"https://{HOST}", kind="ROOM_CREATED", url=f"https://{HOST}/abc-defg-hij"):
    return {"origin": origin, "data": {"type": kind, "data": {"room": {"url": url}}}}


def test_only_the_plain_link_of_a_room_is_taken_for_one_and_only_from_visio():
    good = message()
    bad = [
        message(origin="https://evil.example"),
        message(origin="null"),
        message(kind="STATE_CLEAR"),
        message(url="https://evil.example/abc-defg-hij"),
        message(url=7),
        {"origin": f"https://{HOST}", "data": None},
        {"origin": f"https://{HOST}", "data": {"type": "ROOM_CREATED"}},
    ]
    sent = json.dumps([[*ROOMS, None, 7, {}], [good, *bad]])
    script = SAYS % (json.dumps(CORE.as_uri()), sent)
    command = ["node", "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rooms, told = json.loads(done.stdout)
    assert rooms == [*ROOMS.values(), False, False, False]
    assert told == [f"https://{HOST}/abc-defg-hij", *[""] * len(bad)]


def test_frames_may_show_the_hosts_of_visio_and_no_others():
    core = json.dumps(CORE.as_uri())
    script = f"import {{ SDK_ORIGINS }} from {core}; console.log(SDK_ORIGINS.join(' '))"
    command = ["node", "--input-type=module", "-e", script]
    origins = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    manifest = json.loads((CORE.parents[1] / "manifest.json").read_text("utf-8"))
    policy = manifest["content_security_policy"]["extension_pages"]
    assert f"frame-src {origins};" in policy
