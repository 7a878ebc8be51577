"""The extension in a real Firefox, with a real API behind it and no certificate installed."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.extension.firefoxes import Firefox
from tests.extension.sites import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser]


class Everywhere:
    """A server that every name leads to, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers["host"].partition(":")[0] + self.path)
                page = b"<!doctype html><html lang=en><title>There</title><h1>You are there</h1>"
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, host: str, path: str) -> str:
        return f"http://{host}:{self.server.server_port}{path}"


@pytest.fixture
def world() -> Iterator[Everywhere]:
    made = Everywhere()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def firefox(built, tmp_path) -> Iterator[Firefox]:
    """A Firefox of a reader of French."""
    with Firefox(built / "firefox", tmp_path / "profile", "fr-FR, fr, en") as browser:
        yield browser


def warn_of_meetings(api) -> None:
    """Let the policy warn where it blocks, before the API is asked for it."""
    policy = yaml.safe_load(api.policy.read_text("utf-8"))
    rule = {"id": "meetings", "when": {"service": "zoom"}, "action": "warn"}
    policy["rules"] = [rule, *policy["rules"]]
    api.policy.write_text(yaml.safe_dump(policy), "utf-8")


def wait_for_rule(firefox, api, rule: str) -> None:
    """Take over bundles until one has the rule: the API looks at its policy now and then."""
    page = firefox.own("options.html")
    page.evaluate(f"browser.storage.local.set({{ api: '{api.url}' }})")
    page.wait_for(
        "browser.runtime.sendMessage({ kind: 'refresh' })"
        ".then(() => browser.storage.local.get('kept'))"
        f".then(({{ kept }}) => kept?.bundle.policy.rules.some((it) => it.id === '{rule}'))"
    )
    page.close()


def test_firefox_leads_a_meeting_link_to_the_prompt_before_a_byte_leaves(firefox, api, world):
    firefox.set_api(api.url)
    page = firefox.page(world.url("us02web.zoom.us", "/j/123?pwd=abc"))
    page.heading("Zoom ne peut pas être ouvert ici")
    assert "Ouvrir Visio" in page.text
    assert "États-Unis" in page.text
    assert world.asked == []


def test_firefox_goes_on_to_a_warned_service_with_its_path_and_query(firefox, api, world):
    warn_of_meetings(api)
    wait_for_rule(firefox, api, "meetings")
    page = firefox.page(world.url("us02web.zoom.us", "/j/123?pwd=abc"))
    page.heading("Avant d’ouvrir Zoom")
    page.evaluate("document.getElementById('reason').value = 'partner'")
    page.evaluate("document.querySelector('.go-on form').requestSubmit()")
    page.heading("You are there")
    assert [it for it in world.asked if "favicon" not in it] == ["us02web.zoom.us/j/123?pwd=abc"]


def test_firefox_leaves_other_sites_alone(firefox, api, world):
    firefox.set_api(api.url)
    page = firefox.page(world.url("visio.numerique.gouv.fr", "/abc-defg-hij"))
    page.heading("You are there")


def test_firefox_keeps_the_last_good_bundle_when_the_api_is_away(firefox, api, world):
    firefox.set_api(api.url)
    api.stop()
    own = firefox.own("options.html")
    own.evaluate("browser.runtime.sendMessage({ kind: 'refresh' })")
    assert own.stored("problem")
    page = firefox.page(world.url("us02web.zoom.us", "/j/1"))
    page.heading("Zoom ne peut pas être ouvert ici")
    assert world.asked == []


def test_firefox_opens_popup_and_options_in_the_readers_language(firefox, api):
    firefox.set_api(api.url)
    assert "Adresse de sovproxy" in firefox.own("options.html").text
    assert "Cette page n’est pas sur le web." in firefox.own("popup.html").text


def test_firefox_grants_what_the_manifest_asks_for(firefox):
    granted = firefox.own("options.html").evaluate("browser.permissions.getAll()")
    assert granted["origins"] == ["http://*/*", "https://*/*"]
    assert granted["data_collection"] == ["browsingActivity"]


ROOM = """<!doctype html><html lang="en"><title>Room</title><h1>Room</h1>
<p><a href="https://us02web.zoom.us/j/1">Join</a> <a href="https://visio.numerique.gouv.fr/a">Visio</a>
<script>
(async () => {
  const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
  one.createDataChannel("a");
  await one.setLocalDescription();
  await two.setRemoteDescription(one.localDescription);
  document.title = "met";
})();
</script>"""


def test_firefox_notices_a_meeting_and_flags_links_where_it_is_told_to(firefox, api):
    firefox.set_api(api.url)
    own = firefox.own("options.html")
    own.evaluate("browser.storage.local.set({ mark_links_on: ['mail.example'] })")
    own.wait_for(
        "browser.scripting.getRegisteredContentScripts({ ids: ['links'] })"
        ".then(([it]) => it?.matches[0] === '*://mail.example/*')"
    )
    with serving(ROOM) as port:
        page = firefox.page(f"http://mail.example:{port}/")
        page.wait_for("document.title === 'met'")
        page.wait_for("document.querySelectorAll('a[href*=zoom] + [data-sovproxy]').length === 1")
        assert page.evaluate("document.querySelectorAll('[data-sovproxy]').length") == 1
        own.wait_for(
            "browser.storage.session.get('meetings')"
            ".then(({ meetings }) => meetings?.[0].site === 'mail.example')"
        )
