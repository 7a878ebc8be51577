"""The same person to proxy, API and extension: what is clicked in one holds in the others.

Real parts: a mitmdump with the addon, an API process, and Chromium with the extension behind the
proxy. The client is this machine's 127.0.0.1 to all of them.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from sovproxy.usecases.access.tokens import Role
from tests.barriers import barriers
from tests.lab.apis import Api
from tests.lab.clients import TOKEN, curl
from tests.lab.conftest import authority, origins, start_proxy  # noqa: F401  # fixtures
from tests.lab.proxies import wait_until
from tests.lab.world import NEUTRAL, make_world

if TYPE_CHECKING:
    from tests.extension.conftest import Browser

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.xdist_group("lab")]

SOON = 20_000  # milliseconds


class Place:
    """A proxy and its API, as one organisation has them."""

    def __init__(self, world, api, proxy) -> None:
        self.world, self.api, self.proxy = world, api, proxy

    def machine(self, url):
        """What a program of this person gets through the proxy."""
        return curl(self.proxy, url, "-H", "x-requested-with: me")

    def passes(self, url, trust) -> bool:
        return curl(self.proxy, url, trust=trust).status == 200


@pytest.fixture
def world(tmp_path):
    made = make_world(tmp_path / "world")
    more = {f"site-{number}_example": NEUTRAL for number in range(100)}
    made.write_hosts(**more)
    return made


@pytest.fixture
def place(tmp_path, world, start_proxy):  # noqa: F811  # the fixture
    api = Api(tmp_path / "api", world.settings)
    api.start()
    proxy = start_proxy(world, enrol=api.enrol)
    api.wait_for_node("lab", current=True)
    yield Place(world, api, proxy)
    api.kill()


@pytest.fixture
def behind(chromium, place):
    """Chromium behind the proxy, with the extension that knows the API."""

    @contextmanager
    def start(language="en-GB", size=(1280, 900), proxy="", api=""):
        switches = (f"--proxy-server={proxy or place.proxy.url}", "--ignore-certificate-errors")
        with chromium(language, size, *switches) as browser:
            browser.set_api(api or place.api.url)
            yield browser

    return start


def share(browser: Browser) -> None:
    """What happens every minute."""
    page = browser.context.new_page()
    page.goto(f"{browser.address}/pages/prompt.html")
    page.evaluate("chrome.runtime.sendMessage({ kind: 'share' })")
    page.close()


def go_on(page) -> None:
    page.get_by_label("Reason", exact=True).select_option("other")
    page.get_by_label("Explanation").fill("They know no other way")
    page.get_by_role("button", name="Go on to Slack").click()


def no_barrier(page) -> None:
    page.get_by_role("heading", level=1).wait_for()
    assert barriers(page) == []


def test_going_on_in_the_browser_holds_at_the_proxy(behind, place, origins, authority):  # noqa: F811
    slack = f"https://slack.com:{origins.slack.port}/"
    assert place.machine(slack).status == 451
    with behind() as browser:
        page = browser.context.new_page()
        page.goto(slack)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Slack")
        assert page.url.startswith(browser.address)
        go_on(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Slack /", timeout=SOON)
        assert page.url == slack
    wait_until(lambda: place.passes(slack, authority.certificate), "the proxy knows it", 10)
    [gone_on] = place.api.call(Role.ANALYST, "GET", "/events?kind=acknowledgement").json()["items"]
    assert "They know no other way" in gone_on["reason"]


def test_going_on_at_the_proxy_holds_in_the_browser(behind, place, origins):  # noqa: F811
    slack = f"https://slack.com:{origins.slack.port}/"
    token = TOKEN.search(curl(place.proxy, slack).text)[1]
    form = ("--data", f"token={token}&reason=partner", "-H", "Accept: text/html")
    answer = curl(place.proxy, f"{slack}.well-known/sovproxy/go-on", *form)
    assert answer.status == 303, answer.text
    with behind() as browser:
        page = browser.context.new_page()
        page.goto(slack)
        expect(page.get_by_role("heading", level=1)).to_have_text("Slack /", timeout=SOON)


def test_an_exception_is_asked_for_on_the_prompt_and_opens_the_page(behind, place, origins):  # noqa: F811
    zoom = f"https://zoom.us:{origins.zoom.port}/j/1"
    with behind() as browser:
        page = browser.context.new_page()
        page.goto(zoom)
        no_barrier(page)
        page.get_by_label("What is wrong about it?").fill("It is the court's own link")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_text("under number 1")).to_be_visible(timeout=SOON)
        page.get_by_label("Why do you need it?").fill("Hearing: <b>they</b> invite")
        page.get_by_label("Is it for a meeting?").select_option("guest")
        page.get_by_role("button", name="Send the request").click()
        expect(page.get_by_text("Number 1")).to_be_visible(timeout=SOON)
        no_barrier(page)
        [asked] = place.api.call(Role.ADMIN, "GET", "/exceptions").json()["items"]
        assert asked["client"] == place.proxy.pseudonym("127.0.0.1")
        assert (asked["service"], asked["role"], asked["language"], asked["rule"]) == (
            "zoom",
            "guest",
            "en",
            "video",
        )
        path = f"/exceptions/{asked['id']}/grant"
        assert place.api.call(Role.ADMIN, "POST", path, json={}).status_code == 200
        expect(page.get_by_role("heading", level=1)).to_have_text("Zoom /j/1", timeout=SOON)


def test_my_data_shows_what_is_held_and_a_decision_can_be_contested(behind, place, origins):  # noqa: F811
    slack = f"https://slack.com:{origins.slack.port}/"
    place.machine(slack)
    with behind() as browser:
        page = browser.context.new_page()
        page.goto(slack)
        go_on(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Slack /", timeout=SOON)

        def shown() -> bool:
            page.goto(f"{browser.address}/pages/mydata.html")
            page.get_by_role("heading", level=2).first.wait_for()
            return page.get_by_role("heading", level=3, name="slack.com").count() > 1

        wait_until(shown, "the events have arrived", 20)
        expect(page.get_by_text(place.proxy.pseudonym("127.0.0.1"))).to_be_visible()
        expect(page.get_by_text("messaging").first).to_be_visible()
        expect(page.get_by_text("you went on after the warning")).to_be_visible()
        gone_on = page.get_by_role("region", name="Warnings that I went on from")
        expect(gone_on.get_by_role("heading", name="slack")).to_be_visible()
        no_barrier(page)
        words = page.get_by_label("What is wrong about it?").first
        words.fill("It is our own server")
        page.get_by_role("button", name="Send").first.click()
        expect(page.get_by_text(re.compile("under number 1"))).to_be_visible(timeout=SOON)
        page.reload()
        contested = page.get_by_text("You contested it under number 1: not looked at yet.")
        expect(contested).to_be_visible(timeout=SOON)
        no_barrier(page)
    found = place.api.call(Role.ANALYST, "GET", "/findings/1").json()
    assert (found["state"], found["kind"], found["tags"]) == ("new", "event", ["contested"])
    assert found["history"][0]["text"] == "It is our own server"


def test_my_data_fits_a_narrow_window_in_french(behind):
    with behind("fr-FR", (320, 700)) as browser:
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/mydata.html")
        expect(page.get_by_role("heading", level=1)).to_have_text("Mes données")
        expect(page.get_by_text("Rien n’est enregistré sur vous.")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        no_barrier(page)


def test_going_on_while_the_api_is_away_is_told_later_though_the_browser_was_closed(
    behind,
    place,
    origins,  # noqa: F811
    authority,  # noqa: F811
):
    slack = f"https://slack.com:{origins.slack.port}/"
    with behind() as browser:
        share(browser)
        page = browser.context.new_page()
        page.goto(slack)
        place.api.kill()
        go_on(page)
        page.wait_for_url(slack)
        assert browser.stored("lifts")
        assert browser.stored("waiting")
    place.api.start()
    with behind() as browser:  # the same profile
        share(browser)
        wait_until(lambda: place.passes(slack, authority.certificate), "it is told", 20)
        assert browser.stored("waiting") == []


def test_without_a_proxy_nobody_is_known_and_the_extension_works_on(chromium, place):
    with chromium("en-GB") as browser:
        browser.set_api(place.api.url)
        page = browser.context.new_page()
        page.goto(f"{browser.address}/pages/mydata.html")
        expect(page.get_by_text("nobody can tell who asks")).to_be_visible()
        no_barrier(page)
        with suppress(Exception):  # nothing answers under the name
            page.goto("https://zoom.us/j/1")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Zoom", timeout=SOON)


# -- what it sends --------------------------------------------------------------------------------


@contextmanager
def relay(port: int):
    """A relay to a port of this machine that keeps what clients send."""
    heard: list[bytes] = []

    def pump(source, target, kept) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                kept.append(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def accept(listener) -> None:
        with suppress(OSError):
            while True:
                client = listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", port))
                for way in ((client, server, heard), (server, client, [])):
                    threading.Thread(target=pump, args=way, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard


def test_over_a_hundred_sites_it_tells_nobody_where_the_person_is(behind, place, origins):  # noqa: F811
    port = origins.neutral.port
    with (
        relay(place.proxy.port) as (proxy, at_proxy),
        relay(place.api.port) as (api, at_api),
        behind(proxy=proxy, api=api) as browser,
    ):
        page = browser.context.new_page()
        for number in range(100):
            page.goto(f"http://site-{number}.example:{port}/", wait_until="commit")
            if number % 25 == 0:
                share(browser)
        browser.refresh()
        share(browser)
    told = b"".join(at_api)
    asked = set(re.findall(rb"(?:GET|POST|PUT|PATCH|DELETE|OPTIONS) (/[^ ?]*)", told))
    assert asked == {
        b"/api/v1/bundle",
        b"/api/v1/bundle/keys",
        b"/api/v1/my/permissions",
    }
    assert b"site-" not in told
    assert not re.search(rb"\b(?:POST|PUT|PATCH) /", told)
    by_host: dict[bytes, set[bytes]] = {}
    for host, path in re.findall(rb"GET http://([^/: ]+)[^/ ]*(/[^ ]*) ", b"".join(at_proxy)):
        by_host.setdefault(host, set()).add(path)
    by_host.pop(b"clients2.google.com", None)  # Chromium itself looks for news of extensions
    sites = {f"site-{number}.example".encode() for number in range(100)}
    assert by_host.keys() == sites | {b"sovproxy.internal"}
    assert by_host.pop(b"sovproxy.internal") == {b"/worker"}
    assert {path for paths in by_host.values() for path in paths} <= {b"/", b"/favicon.ico"}
