"""Meetings on sites that no catalogue knows are noticed in the browser, once, and stay there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.barriers import barriers
from tests.extension.sites import names_here, serving

pytestmark = [pytest.mark.browser]

PAGE = """<!doctype html><html lang="en"><title>Room</title><h1>Room</h1>
<button id="camera">Camera</button><button id="peer">Peer</button><button id="look">Look</button>
<output></output>
<script>
const said = document.querySelector("output");
const on = (id, act) => document.getElementById(id).onclick = () => act().then(
  (text) => said.textContent = text, (error) => said.textContent = "failed: " + error);
const camera = () => navigator.mediaDevices.getUserMedia({ video: true });
on("camera", async () => (await camera()).id && "camera is on");
on("peer", async () => {
  const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
  one.createDataChannel("a");
  await one.setLocalDescription();
  await two.setRemoteDescription(one.localDescription);
  return "peer is there";
});
on("look", async () => {
  const peer = new RTCPeerConnection();
  peer.createDataChannel("a");
  await peer.setLocalDescription();
  return "looked";
});
window.traces = () => [
  MediaDevices.prototype.getUserMedia.toString(),
  Object.keys(window).filter((name) => /sovproxy/i.test(name)).length,
];
</script>"""
SITES = ("meet.example", "other.example", "visio.numerique.gouv.fr", "us02web.zoom.us")


@pytest.fixture
def port():
    with serving(PAGE) as number:
        yield number


@pytest.fixture
def room(chromium, api, port):
    """A Chromium whose camera is a film, in which the sites are as trusted as with TLS."""
    trusted = ",".join(f"http://{site}:{port}" for site in SITES)
    switches = (
        names_here(*SITES),
        f"--unsafely-treat-insecure-origin-as-secure={trusted}",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    )
    with chromium("en-GB", (1280, 900), *switches) as browser:
        browser.set_api(api.url)
        yield Room(browser, port)


class Room:
    def __init__(self, browser, port: int) -> None:
        self.browser, self.port = browser, port

    def press(self, site: str, button: str, said: str):
        page = self.browser.context.new_page()
        page.goto(f"http://{site}:{self.port}/")
        page.get_by_role("button", name=button).click()
        expect(page.locator("output")).to_have_text(said)
        return page

    def marks(self) -> list[str]:
        """The marks on the button, tab by tab."""
        script = """async () => {
          const tabs = await chrome.tabs.query({ url: "http://*/*" });
          return Promise.all(tabs.map(({ id }) => chrome.action.getBadgeText({ tabId: id })));
        }"""
        return self.browser.worker.evaluate(script)

    def wait_for_marks(self, wanted: list[str]) -> None:
        for _ in range(60):
            found = self.marks()
            if found == wanted:
                return
            self.browser.context.pages[-1].wait_for_timeout(50)
        assert found == wanted


@pytest.mark.parametrize(
    ("button", "said"), [("Camera", "camera is on"), ("Peer", "peer is there")]
)
def test_camera_and_peers_on_an_unknown_site_are_told_quietly_and_once(room, button, said):
    room.press("meet.example", button, said)
    room.wait_for_marks(["!"])
    room.press("meet.example", button, said)
    room.press("other.example", button, said)
    room.wait_for_marks(["!", "", "!"])


def test_the_popup_names_the_meeting(room):
    room.press("meet.example", "Camera", "camera is on")
    room.wait_for_marks(["!"])
    popup = room.browser.context.new_page()
    popup.add_init_script(
        "const query = chrome.tabs.query.bind(chrome.tabs);"
        "chrome.tabs.query = async () => query({ url: 'http://meet.example/*' });"
    )
    popup.goto(f"{room.browser.address}/pages/popup.html")
    expect(popup.locator(".doubt")).to_contain_text("A meeting takes place on meet.example")
    assert barriers(popup) == []


def test_a_sovereign_site_may_meet_without_a_word(room):
    room.press("visio.numerique.gouv.fr", "Camera", "camera is on")
    room.press("other.example", "Camera", "camera is on")
    room.wait_for_marks(["", "!"])


def test_looking_for_addresses_without_a_peer_is_no_meeting(room):
    room.press("meet.example", "Look", "looked")
    room.press("other.example", "Camera", "camera is on")
    room.wait_for_marks(["", "!"])


def test_a_page_sees_the_browsers_own_functions(room):
    page = room.press("meet.example", "Look", "looked")
    written, ours = page.evaluate("traces()")
    assert "[native code]" in written
    assert ours == 0


def test_an_empty_list_of_sites_takes_the_flags_off_every_page(room):
    room.browser.worker.evaluate("chrome.storage.local.set({ mark_links_on: [] })")
    script = (
        "() => chrome.scripting.getRegisteredContentScripts().then((all) => all.map((it) => it.id))"
    )
    for _ in range(60):
        found = room.browser.worker.evaluate(script)
        if found == ["meeting", "meeting-page"]:
            break
    assert sorted(found) == ["meeting", "meeting-page"]
