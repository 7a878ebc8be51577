"""What a new user does in the first quarter of an hour, with everything real.

`sovproxy run` on free ports, curl as the workers through its proxy, Chromium as the admin: from the
first admin's link to the audit. It follows docs/console.md, and axe looks at every page on the way.
"""

from __future__ import annotations

import re
from importlib.resources import files
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.barriers import barriers
from tests.cli.test_cli_run import running
from tests.lab.certificates import make_authority
from tests.lab.clients import NAVIGATION, TOKEN, curl
from tests.lab.origins import Origin
from tests.lab.proxies import wait_until
from tests.lab.world import NAMES, NEUTRAL, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.xdist_group("console-browser")]

GROUPS = """
groups:
  finance: {networks: [127.1.0.0/16]}
  interior: {networks: [127.2.0.0/16]}
internal: {networks: []}
refused: {networks: []}
"""
PROFILE = files("sovproxy.policy") / "profiles" / "fr-etat.yaml"
DOCS = "docs.google.com"
FINANCE, INTERIOR = "127.1.0.5", "127.2.0.7"
PASSWORD = "sieve lantern forty orchard"  # of an account that lives for one test
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class Walk:
    """One installation, its workers, and the admin's tab."""

    def __init__(self, installation, origins, tab) -> None:
        self.installation, self.origins, self.tab = installation, origins, tab
        self.base = f"http://127.0.0.1:{installation.api_port}/console"
        authority = next(installation.data.glob("**/ca/root.pem"))
        port = installation.proxy_port
        self.proxy = SimpleNamespace(url=f"http://127.0.0.1:{port}", authority=authority)

    def worker(self, me, host, *arguments, path="/", trust=None):
        url = f"https://{host}:{self.origins.ports[host]}{path}"
        return curl(self.proxy, url, *arguments, me=me, trust=trust)

    def action(self, me, host) -> str:
        """What the proxy does with a script's request."""
        return self.worker(me, host, "-H", "x-requested-with: me").problem["action"]

    def passes(self, me, host) -> bool:
        return self.worker(me, host, trust=self.origins.authority.certificate).status == 200

    def open(self, section) -> None:
        """Go to a section by the menu, with the keyboard."""
        self.tab.locator("#sections").get_by_role("link", name=section).press("Enter")
        self.tab.wait_for_load_state()

    def look(self, heading) -> None:
        """The page that was wanted is there, and anybody can use it."""
        expect(self.tab.locator("h1")).to_contain_text(heading)
        assert barriers(self.tab) == []
        assert self.tab.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.fixture(scope="module")
def origins(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """The services themselves, on addresses of this machine."""
    authority = make_authority(tmp_path_factory.mktemp("authority"))
    hosts = {host: NAMES[host][0] for host in ("zoom.us", "visio.numerique.gouv.fr")}
    hosts[DOCS] = NEUTRAL
    started = {
        host: Origin(address, host, identity=authority.issue(host, address))
        for host, address in hosts.items()
    }
    ports = {host: origin.port for host, origin in started.items()}
    yield SimpleNamespace(authority=authority, ports=ports)
    for origin in started.values():
        origin.close()


@pytest.fixture(scope="module")
def walk(tmp_path_factory, origins) -> Iterator[Walk]:
    world = make_world(tmp_path_factory.mktemp("walk") / "world")
    world.write_hosts(docs_google_com=NEUTRAL)
    world.policy.write_text(PROFILE.read_text() + GROUPS)
    folder = tmp_path_factory.mktemp("run")
    with running(folder, **world.settings) as installation, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        size = {"width": 1280, "height": 900}
        tab = browser.new_context(viewport=size, locale="en-GB").new_page()
        tab.set_default_timeout(20000)
        yield Walk(installation, origins, tab)
        browser.close()


def test_a_new_user_walks_from_the_first_link_to_the_audit(walk):
    becomes_admin(walk)
    workers_meet_the_policy(walk)
    finds_who_used_what_outside_the_trust_zone(walk)
    simulates_and_applies_a_stricter_policy(walk)
    grants_what_a_worker_asks_for(walk)
    finds_all_of_that_in_the_audit(walk)


def becomes_admin(walk):
    link = re.search(r"http://\S+/console/first\?code=\S+", walk.installation.said)[0]
    walk.tab.goto(link)
    walk.look("Become the first admin")
    walk.tab.get_by_label("Login name").fill("ada")
    walk.tab.get_by_label("Your name").fill("Ada Moreau")
    walk.tab.get_by_label("Password", exact=True).fill(PASSWORD)
    walk.tab.get_by_label("Password again").fill(PASSWORD)
    walk.tab.get_by_label("Password again").press("Enter")
    expect(walk.tab.locator("#sections")).to_be_visible()


def workers_meet_the_policy(walk):
    assert walk.worker(FINANCE, "zoom.us", *NAVIGATION).is_prompt
    assert walk.action(FINANCE, "zoom.us") == "block"
    assert walk.action(INTERIOR, DOCS) == "warn"
    assert walk.passes(INTERIOR, "visio.numerique.gouv.fr")


def finds_who_used_what_outside_the_trust_zone(walk):
    outside = walk.tab.locator("section[aria-labelledby=outside-title]")

    def delivered() -> bool:
        walk.tab.goto(f"{walk.base}/")
        rows = outside.locator("tr")
        return all(rows.filter(has_text=name).count() for name in ("Zoom", "Google Workspace"))

    wait_until(delivered, "the node delivers", 30)
    walk.look("Overview")
    expect(outside.locator("tr", has_text="Google Workspace")).to_contain_text("interior")
    outside.locator("tr", has_text="Zoom").get_by_role("link", name="finance").click()
    walk.look("Events")
    rows = walk.tab.locator("#rows tr")
    assert rows.count() == 2
    assert all("zoom.us" in text and "finance" in text for text in rows.all_inner_texts())


def simulates_and_applies_a_stricter_policy(walk):
    tab = walk.tab
    walk.open("Policy")
    walk.look("Policy")
    tab.locator("main").get_by_role("link", name="Edit", exact=True).first.click()
    walk.look("Edit the policy")
    tab.get_by_label("Rule", exact=True).select_option("collaboration")
    tab.get_by_label("Action", exact=True).select_option("block")
    tab.get_by_role("button", name="Change the text").click()
    expect(tab.locator("#verdict")).to_contain_text("No error")
    tab.get_by_label("What it is about").fill("Collaboration ends today")
    tab.get_by_role("button", name="See what it changes").click()
    walk.look("Differences")
    tab.get_by_role("link", name="All of the simulation").click()
    walk.look("Simulate a draft")
    groups = tab.locator("section[aria-labelledby=group-title]")
    expect(groups.locator("tbody tr")).to_have_count(1)
    expect(groups).to_contain_text("interior")
    tab.get_by_role("link", name="Differences").click()
    tab.get_by_role("button", name="Apply to all nodes").click()
    expect(tab.locator(".notice")).to_be_visible()
    walk.look("Policy")
    stops = lambda: walk.action(INTERIOR, DOCS) == "block"  # noqa: E731  # a claim
    wait_until(stops, "the proxy obeys the new policy", 15)


def grants_what_a_worker_asks_for(walk):
    prompt = walk.worker(FINANCE, "zoom.us", *NAVIGATION).text
    asked = {"token": TOKEN.findall(prompt)[-1], "why": "Hearing abroad", "until": "day"}
    fields = [item for pair in asked.items() for item in ("--data-urlencode", "=".join(pair))]
    fields += ["-d", "part=guest", *NAVIGATION]
    answer = walk.worker(FINANCE, "zoom.us", *fields, path="/.well-known/sovproxy/ask")
    assert answer.status == 200, answer.text
    walk.open("Overview")
    expect(walk.tab.locator("#sections a", has_text="Exceptions")).to_contain_text("1")
    walk.open("Exceptions")
    walk.look("Exceptions")
    walk.tab.get_by_role("link", name=re.compile("^Answer No")).click()
    expect(walk.tab.locator("main")).to_contain_text("Hearing abroad")
    walk.look("Zoom")
    walk.tab.get_by_role("button", name="Grant").press("Enter")
    expect(walk.tab.locator(".notice")).to_be_visible()
    wait_until(lambda: walk.passes(FINANCE, "zoom.us"), "the exception is in force", 15)
    assert walk.action(INTERIOR, "zoom.us") == "block"


def finds_all_of_that_in_the_audit(walk):
    walk.open("Audit")
    walk.look("Audit")
    rows = " ".join(walk.tab.locator("main tbody tr").all_inner_texts())
    for trace in (
        "Ada Moreau",
        "Made an account",
        "Searched events",
        "Simulated a policy",
        "Applied a policy",
        "Collaboration ends today",
        "Granted an exception",
        "Zoom",
    ):
        assert trace in rows
    walk.tab.get_by_role("link", name="Français").press("Enter")
    walk.look("Audit")
    assert walk.tab.locator("html").get_attribute("lang") == "fr"
    walk.open("Vue d’ensemble")
    walk.look("Vue d’ensemble")
