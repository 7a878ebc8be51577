"""Links to stopped services in web mail: a flag, a menu, and nothing that the page could read."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.barriers import barriers
from tests.extension.sites import names_here, serving

pytestmark = [pytest.mark.browser]

LINK = '<a href="https://us02web.zoom.us/j/{0}">Join {0}</a>'
VISIO = '<a href="https://visio.numerique.gouv.fr/a">Visio</a>'
PAGE = f"""<!doctype html><html lang="en"><title>Mail</title>
<style>span {{ padding: 9px; color: red }}</style>
<h1>Inbox</h1>
<p id="text">Come to {LINK.format(1)} or to {VISIO} today</p>
<ul style="display:flex;gap:20px"><li>{LINK.format(2)}</li>{LINK.format(3)}<li>Last</li></ul>
<div id="more"></div>"""
SITES = ("mail.example", "news.example", "us02web.zoom.us")


@pytest.fixture
def port():
    with serving(PAGE) as number:
        yield number


class Inbox:
    """The web mail in a Chromium, and what the page cannot see of it."""

    def __init__(self, browser, port: int) -> None:
        self.browser, self.url = browser, f"http://mail.example:{port}/"
        self.elsewhere = f"http://news.example:{port}/"

    def open(self, url: str = ""):
        self.page = self.browser.context.new_page()
        self.page.goto(url or self.url)
        return self.page

    def focus_on_flag(self, number: int = 1):
        """By keyboard alone: the flag comes after its link."""
        self.page.keyboard.press("Tab")
        self.page.locator("a", has_text=f"Join {number}").focus()
        self.page.keyboard.press("Tab")
        return self.page

    def named(self, role: str) -> list[str]:
        """What a screen reader finds: closed shadow roots are no wall to it."""
        session = self.browser.context.new_cdp_session(self.page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        wanted = [node for node in nodes if node.get("role", {}).get("value") == role]
        return [node["name"]["value"] for node in wanted if not node.get("ignored")]


@pytest.fixture
def inbox(chromium, api, port):
    secure = f"--unsafely-treat-insecure-origin-as-secure=http://mail.example:{port}"
    with chromium("en-GB", (1280, 900), names_here(*SITES), secure) as browser:
        browser.set_api(api.url)
        options = browser.context.new_page()
        options.goto(f"{browser.address}/pages/options.html")
        options.get_by_label("Mark links").fill("mail.example")
        options.get_by_role("button", name="Save").last.click()
        wait_for_scripts(browser, ["*://mail.example/*"])
        yield Inbox(browser, port)


def wait_for_scripts(browser, matches: list[str]) -> None:
    script = (
        "() => chrome.scripting.getRegisteredContentScripts({ ids: ['links'] })"
        ".then(([it]) => it?.matches)"
    )
    for _ in range(100):
        found = browser.worker.evaluate(script)
        if found == matches:
            return
    assert found == matches


def test_links_to_stopped_services_are_flagged_and_others_are_not(inbox):
    page = inbox.open()
    expect(page.locator("[data-sovproxy]")).to_have_count(3)
    expect(page.locator("a[href*=visio] + [data-sovproxy]")).to_have_count(0)
    flags = [name for name in inbox.named("button") if name]
    assert len(flags) == 3
    assert re.search(r"Zoom cannot be opened here.*Visio", flags[0])


def test_pages_that_are_no_mail_carry_no_flags(inbox):
    inbox.open(inbox.url)
    expect(inbox.page.locator("[data-sovproxy]")).to_have_count(3)
    page = inbox.open(inbox.elsewhere)
    page.wait_for_timeout(300)
    expect(page.locator("[data-sovproxy]")).to_have_count(0)


def kinds(found: list[str]) -> list[str]:
    """The rules that a page breaks, without the elements: marks stand among them."""
    return [text.partition(":")[0] for text in found]


def test_flags_move_nothing_and_show_the_page_nothing(inbox):
    boxes = """[...document.querySelectorAll('p,ul,li,a,h1')]
      .map((it) => JSON.stringify(it.getBoundingClientRect()))"""
    elsewhere = inbox.open(inbox.elsewhere)
    plain, without = elsewhere.evaluate(boxes), kinds(barriers(elsewhere))
    page = inbox.open()
    expect(page.locator("[data-sovproxy]")).to_have_count(3)
    assert page.evaluate(boxes) == plain
    seen = """[...document.querySelectorAll('[data-sovproxy]')]
      .map((it) => [it.shadowRoot, it.textContent])"""
    assert page.evaluate(seen) == [[None, ""]] * 3
    assert kinds(barriers(page)) == without


def test_flags_stand_at_the_end_of_their_links(inbox):
    page = inbox.open()
    expect(page.locator("[data-sovproxy]")).to_have_count(3)
    far = page.evaluate("""[...document.querySelectorAll('[data-sovproxy]')].map((it) => {
      const both = [it, it.previousElementSibling];
      const [flag, link] = both.map((one) => one.getBoundingClientRect());
      return Math.hypot(flag.left - link.right, flag.top - link.top);
    })""")
    assert max(far) < 20, far


def test_the_menu_opens_the_alternative_by_keyboard(inbox):
    inbox.open()
    expect(inbox.page.locator("[data-sovproxy]")).to_have_count(3)
    page = inbox.focus_on_flag()
    page.keyboard.press("Enter")
    assert inbox.named("menuitem") == ["Open Visio", "Copy the reply", "Ask for an exception"]
    page.keyboard.press("Escape")
    assert inbox.named("menuitem") == []
    page.keyboard.press("Enter")
    assert inbox.named("menuitem")
    with inbox.browser.context.expect_page() as opened:
        page.keyboard.press("Enter")
    assert opened.value.evaluate("location.href").startswith(("https://visio", "chrome-error"))


def test_the_menu_copies_a_reply_to_the_organiser(inbox):
    inbox.browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    inbox.open()
    expect(inbox.page.locator("[data-sovproxy]")).to_have_count(3)
    page = inbox.focus_on_flag(2)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('Visio'))")
    assert any("Copied" in text for text in inbox.named("StaticText"))


def test_the_menu_leads_to_the_prompt_of_the_link(inbox):
    inbox.open()
    expect(inbox.page.locator("[data-sovproxy]")).to_have_count(3)
    page = inbox.focus_on_flag(3)
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    with inbox.browser.context.expect_page() as opened:
        page.keyboard.press("Enter")
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Zoom cannot be opened here")
    assert opened.value.url.endswith("#https://us02web.zoom.us/j/3")


def test_mail_that_arrives_later_is_flagged_too_and_never_more_than_fifty(inbox):
    page = inbox.open()
    expect(page.locator("[data-sovproxy]")).to_have_count(3)
    page.evaluate(
        "(link) => { for (let i = 0; i < 90; i++) document.getElementById('more')"
        ".insertAdjacentHTML('beforeend', link) }",
        LINK.format(9),
    )
    expect(page.locator("[data-sovproxy]")).to_have_count(50)
    page.evaluate(
        "document.getElementById('more').insertAdjacentHTML('beforeend', '<a href=//zoom.us>Z</a>')"
    )
    page.wait_for_timeout(900)
    expect(page.locator("[data-sovproxy]")).to_have_count(50)


def test_whose_is_it_answers_about_any_link_without_asking_anybody(inbox):
    browser = inbox.browser
    browser.worker.evaluate("chrome.storage.local.remove('api')")
    asked: list[str] = []
    browser.context.on("request", lambda request: asked.append(request.url))
    with browser.context.expect_page() as opened:
        browser.worker.evaluate(
            "chrome.contextMenus.onClicked.dispatch("
            "{ menuItemId: 'whose', linkUrl: 'https://www.facebook.com/a?b' }, {})"
        )
    page = opened.value
    expect(page.get_by_role("heading", level=1)).to_have_text("www.facebook.com")
    expect(page.locator(".standing")).to_contain_text("abroad")
    expect(page.get_by_text("Meta Platforms").first).to_be_attached()
    assert [url for url in asked if url.startswith("http")] == []
    assert barriers(page) == []
