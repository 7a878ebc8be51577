"""A real Chromium walks the whole console after a hostile text was stored in every field there is.

The text is put in through the doors that attackers have: a node's events and heartbeat, a worker's
request and contest, an analyst's notes and views, a browser's name. Nothing of it may run, load or
send anything, on any page that a link leads to.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import mint
from tests.console.conftest import an_event
from tests.console.test_console_browser import ARGS, HARMLESS
from tests.console.test_console_nodes import beat

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("console-browser")]

RUN = "window.ran=1"
LONG = (
    f"<script>{RUN}</script>\"'><img src=//evil.example/x onerror={RUN}><svg onload={RUN}>"
    f"</textarea></title></script>{{{{7*7}}}}${{{RUN}}}javascript:{RUN}\u202e=cmd|'/c calc'!A0"
)
PLAIN = LONG.replace("\u202e", "")
SHORT = f"'\"><img src=x onerror={RUN}>{{{{7*7}}}}"
ME = "2026-11.aaaabbbbccccdddd"
POLICY = """\
id: ours
title: {en: Ours}
trust_zone: [EEA]
rules:
  - id: video
    when: {host: ["*.zoom.us"]}
    action: block
    message: {en: %s}
"""
NUMBERS = re.compile(
    r"(?:(?<=/services)|(?<=/operators))/[^/]+"
    r"|/(?:\d+|acc-[0-9a-f]+|[0-9a-f]{8,}(?:-[0-9a-f]+)*)(?=/|$)"
)
PER_SORT = 1
"""Pages of one sort that are opened: one template draws them, and the newest thing is first."""


def calls(site, now):
    """Each door with what is put in: role, path, body."""
    until = (now + timedelta(hours=3)).isoformat()
    rule = {"id": "video", "text": POLICY % repr(SHORT)}["text"]
    yield Role.NODE, "/api/v1/fleet/heartbeat", beat(node=SHORT[:64], version=PLAIN[:100])
    yield "worker", "/api/v1/exceptions", {"host": "a.zoom.us", "reason": PLAIN, "until": until}
    yield "worker", "/api/v1/exceptions", {"service": "zoom", "reason": PLAIN, "until": until}
    yield "worker", "/api/v1/my/contests", {"host": "b.zoom.us", "text": PLAIN}
    yield "worker", "/api/v1/my/contests", {"host": SHORT, "text": PLAIN}
    yield Role.ANALYST, "/api/v1/findings", {"kind": "host", "value": SHORT, "note": PLAIN}
    yield Role.ANALYST, "/api/v1/findings", {"kind": "service", "value": SHORT, "note": PLAIN}
    suppressed = {"kind": "group", "value": SHORT, "reason": PLAIN}
    yield Role.ANALYST, "/api/v1/suppressions", suppressed
    yield Role.ANALYST, "/api/v1/views", {"name": SHORT[:80], "description": PLAIN, "shared": True}
    yield Role.ANALYST, "/api/v1/resolutions", {"client": ME, "reason": PLAIN, "reference": SHORT}
    yield Role.ANALYST, "/api/v1/policy/drafts", {"text": rule, "based_on": 0, "comment": PLAIN}
    yield Role.ADMIN, "/api/v1/policy/apply", {"text": rule, "based_on": 0, "comment": PLAIN}
    account = {"login": "eve", "name": SHORT[:64], "role": "analyst"}
    yield Role.ADMIN, "/api/v1/accounts", account
    yield Role.ADMIN, "/api/v1/tokens", {"name": SHORT[:64], "role": "node"}


@pytest.fixture(scope="module")
def poisoned(attacked):
    """The site with a hostile text in every field that takes one; what refused it is counted."""
    now = datetime.now(UTC)
    fields = ("host", "reason", "service", "operator", "group", "rule", "node", "alternative")
    poison = dict.fromkeys(fields, LONG)
    events = [an_event(now, client=ME, policy=LONG, policy_version=LONG, **poison)]
    events.append(an_event(now, client=ME, host=SHORT, group=SHORT, node=SHORT))
    attacked.deliver(events)
    token, _ = mint(attacked.services.workers.hand_out(now), ME, SHORT, [], now)
    stored, refused = 0, []
    with httpx.Client(base_url=attacked.url, trust_env=False, timeout=30) as client:
        for who, path, body in calls(attacked, now):
            bearer = token if who == "worker" else attacked.token(who)
            answer = client.post(path, json=body, headers={"authorization": f"Bearer {bearer}"})
            assert answer.status_code < 500, (path, answer.text)
            stored += answer.status_code < 300
            refused += [(path, answer.text)] if answer.status_code >= 300 else []
    assert stored >= 12, "\n".join(f"{path}: {text[-250:]}" for path, text in refused)
    agent = attacked.client(Role.ADMIN, **{"user-agent": LONG.encode("ascii", "ignore").decode()})
    agent.get("/console/account")
    return attacked


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGS))
        yield found
        found.close()


class Walker:
    """A tab that follows every link of the console, and keeps what the browser said and asked."""

    def __init__(self, browser, site) -> None:
        self.site = site
        self.context = browser.new_context(locale="en-GB", accept_downloads=False)
        jar = site.client(Role.ADMIN).cookies.jar
        self.context.add_cookies(
            [{"name": one.name, "value": one.value, "url": f"{site.url}{one.path}"} for one in jar]
        )
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(30_000)
        self.said: list[str] = []
        self.asked: set[str] = set()
        self.sorts: dict[str, int] = {}
        self.seen = 0
        for name in ("console", "dialog"):
            self.tab.on(name, lambda it: self.said.append(getattr(it, "text", "a dialog")))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.context.on("request", lambda request: self.asked.add(request.url))

    def walk(self, *begin: str) -> None:
        """Open pages and what they link to, a few of each sort."""
        waiting = list(begin)
        while waiting:
            path = waiting.pop(0)
            sort = NUMBERS.sub("/N", urlsplit(path).path)
            if self.sorts.get(sort, 0) >= PER_SORT or any(
                part in sort for part in ("/language/", "/static/", "/export", "/api/")
            ):
                continue
            self.sorts[sort] = self.sorts.get(sort, 0) + 1
            waiting += self.look(path)

    def look(self, path: str) -> list[str]:
        """Open one page, say what is wrong with it, and give its links."""
        answer = self.tab.goto(self.site.url + path, wait_until="load")
        assert answer.status < 500, path
        assert self.tab.evaluate("window.ran") is None, path
        shown = self.tab.content()
        assert "evil.example/x onerror" not in re.sub("&[a-z]+;", "", shown) or "<img" not in shown
        self.seen += "onerror" in shown
        assert self.tab.locator("img[src*='evil'], svg[onload], script:not([src])").count() == 0
        links = self.tab.eval_on_selector_all("a[href]", "all => all.map(it => it.href)")
        odd = [one for one in links if urlsplit(one).scheme not in {"http", "https", "mailto"}]
        assert odd == [], path
        return [
            one[len(self.site.url) :].partition("#")[0]
            for one in links
            if one.startswith(self.site.url)
        ]


def test_nothing_that_was_stored_runs_on_any_page(browser, poisoned):
    walker = Walker(browser, poisoned)
    walker.walk("/console/", "/console/events?last=7d", "/console/findings?all=1")
    complaints = [one for one in walker.said if not any(known in one for known in HARMLESS)]
    assert complaints == []
    assert {one for one in walker.asked if not one.startswith(f"{poisoned.url}/console")} == set()
    assert len(walker.sorts) > 25, walker.sorts
    assert walker.seen > 8
    walker.context.close()


REFLECTED = (
    "/events?last=%s",
    "/events?q=%s",
    "/events?host_contains=%s",
    "/explain?q=%s",
    "/catalogue?q=%s",
    "/sign-in?next=%s",
    "/sign-in?login=%s",
    "/findings/thing?kind=host&value=%s",
    "/audit?who=%s",
    "/catalogue/services/%s",
    "/findings/raise?kind=host&value=%s",
    "/first?code=%s",
    "/%s",
    "/views?name=%s",
    "/oidc/callback?error=%s&error_description=%s",
    "/events?columns=%s",
    "/catalogue/operators?q=%s",
)


def test_nothing_that_an_address_holds_runs(browser, poisoned):
    walker = Walker(browser, poisoned)
    for path in REFLECTED:
        value = httpx.QueryParams({"v": SHORT})
        walker.look("/console" + path.replace("%s", str(value)[2:]))
    complaints = [one for one in walker.said if "responded with a status of 4" not in one]
    assert [one for one in complaints if not any(known in one for known in HARMLESS)] == []
    assert {one for one in walker.asked if not one.startswith(f"{poisoned.url}/console")} == set()
    walker.context.close()


def test_what_the_browser_would_say_is_heard(browser, poisoned):
    """A script that does run in a page is noticed, so that silence means something."""
    walker = Walker(browser, poisoned)
    walker.look("/console/")
    walker.tab.evaluate("document.body.append(document.createElement('img')); window.ran = 1")
    with pytest.raises(AssertionError):
        assert walker.tab.evaluate("window.ran") is None
    walker.tab.evaluate("document.querySelector('body > img').src = 'http://evil.example/x'")
    walker.tab.wait_for_timeout(300)
    assert any("Content Security Policy" in one for one in walker.said)
    walker.context.close()
