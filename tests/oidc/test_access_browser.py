"""Signing in by every way in a real Chromium, with its rules about cookies and other sites."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from sovproxy.usecases.access.accounts import create_account, first_link, list_accounts, use_link
from sovproxy.usecases.access.second_factor import _totp
from sovproxy.usecases.access.tokens import Role, command_line, create_token
from tests.barriers import barriers
from tests.oidc.conftest import Portal, free_port, provider_process

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("oidc")]

ARGS = ["--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-dev-shm-usage"]
GOOD = "quatre mots sans rapport"
LOOKS = [("en-GB", 1280, "light"), ("fr-FR", 320, "dark")]
PAGES = ("/account", "/accounts", "/tokens", "/audit", "/audit?what=sign_in&who=zzz")
SHOTS = os.environ.get("SOVPROXY_SHOTS", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    port = free_port()
    found = Portal(tmp_path_factory.mktemp("browser"), f"http://127.0.0.1:{port}")
    with provider_process(found, port):
        yield found.start()
        found.stop()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, site):
    """A new browser; it reaches sovproxy and the provider, and nothing else."""

    @contextmanager
    def _opened(locale="en-GB", width=1280, scheme="light", **options):
        context = chromium.new_context(
            locale=locale,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            **options,
        )
        context.route("**/*", lambda route: route.continue_() if "//127.0.0.1:" in
                      route.request.url or route.request.url.startswith("data:")
                      else route.abort())  # fmt: skip
        tab = context.new_page()
        tab.set_default_timeout(15000)
        yield tab
        context.close()

    return _opened


def make(site, login, role=Role.ADMIN):
    now = datetime.now(UTC)
    if login not in [item.login for item in list_accounts(site.store)]:
        by = command_line("test")
        _, code = create_account(site.store, by, now, login=login, name=login.title(), role=role)
        use_link(site.store, code, GOOD, now)


def sign_in(tab, site, login, code=""):
    tab.goto(f"{site.url}/console/sign-in")
    tab.fill("#login", login)
    tab.fill("#password", GOOD)
    tab.fill("#code", code)
    tab.click("main form button >> nth=0")


def send(tab, button):
    """Send a form: it asks first whether the session still lasts."""
    with tab.expect_navigation():
        tab.click(button)


def looked_at(tab, name):
    """What axe finds, and whether the page keeps within its width."""
    problems = barriers(tab)
    if SHOTS:
        width = tab.viewport_size["width"]
        tab.screenshot(path=str(Path(SHOTS) / f"{name}-{width}.png"), full_page=True)
    wide = tab.evaluate("document.documentElement.scrollWidth")
    return problems + ([f"{wide} px wide"] if wide != tab.viewport_size["width"] else [])


def test_the_first_admin_opens_the_link_and_is_in(opened, site):
    code = first_link(site.store, datetime.now(UTC))
    with opened() as tab:
        tab.goto(f"{site.url}/console/first?code={code}")
        assert tab.url == f"{site.url}/console/first"  # the code does not stay in the address
        assert looked_at(tab, "first") == []
        tab.fill("#f-login", "grace")
        tab.fill("#f-password", "password1234")
        tab.fill("#f-again", "password1234")
        tab.click("main button")
        assert "guessed soon" in tab.inner_text("[role=alert]")
        tab.fill("#f-password", GOOD)
        tab.fill("#f-again", GOOD)
        tab.click("main button")
        tab.wait_for_url("**/console/")
        tab.goto(f"{site.url}/console/accounts")
        assert "grace" in tab.inner_text("tbody")


def test_from_the_provider_one_comes_back_signed_in_to_the_page_that_was_wanted(opened, site):
    """The session's cookie is strict: it has to arrive although the way began elsewhere."""
    with opened() as tab:
        tab.goto(f"{site.url}/console/catalogue?q=zoom")
        tab.click("text=Sign in with ProConnect")
        tab.fill("input[name=login]", "paul")
        tab.fill("input[name=password]", "x")
        tab.click("button[type=submit]")
        tab.wait_for_url("**/console/catalogue?q=zoom")
        assert "Paul Langevin" in tab.inner_text("header")
        cookies = {item["name"]: item for item in tab.context.cookies(f"{site.url}/console/")}
        assert cookies["sovproxy_session"]["sameSite"] == "Strict"
        tab.click("text=Sign out")
        tab.wait_for_url(f"{site.issuer}/**")
        tab.click("button[type=submit] >> nth=0")
        tab.wait_for_url("**/console/sign-in?state=**")
        assert "signed out" in tab.inner_text("main")


def test_without_scripts_one_signs_in_at_the_provider_too(opened, site):
    with opened(java_script_enabled=False) as tab:
        tab.goto(f"{site.url}/console/sign-in")
        tab.click("text=Sign in with ProConnect")
        tab.fill("input[name=login]", "marie")
        tab.fill("input[name=password]", "x")
        tab.click("button[type=submit]")
        tab.wait_for_url("**/console/")
        assert "Marie Curie" in tab.inner_text("header")


@pytest.mark.parametrize(("locale", "width", "scheme"), LOOKS)
def test_axe_finds_nothing_on_the_pages_of_access(opened, site, locale, width, scheme):
    make(site, "ada")
    create_token(site.store, Role.NODE, "proxy-2")
    with opened(locale, width, scheme) as tab:
        tab.goto(f"{site.url}/console/sign-in")
        found = {"sign-in": looked_at(tab, "sign-in")}
        sign_in(tab, site, "ada")
        tab.wait_for_url("**/console/")
        for path in PAGES:
            tab.goto(f"{site.url}/console{path}")
            found[path] = looked_at(tab, path.strip("/").replace("?", "-"))
        [account] = [item for item in list_accounts(site.store) if item.login == "ada"]
        tab.goto(f"{site.url}/console/accounts/{account.id}")
        found["one"] = looked_at(tab, "account-one")
        tab.goto(f"{site.url}/console/tokens")
        tab.fill("#f-name", "a-script")
        send(tab, "form[action='/console/tokens'] button")
        found["secret"] = looked_at(tab, "secret")
        tab.goto(f"{site.url}/console/account")
        send(tab, "form[action$='second-factor/begin'] button")
        found["factor"] = looked_at(tab, "second-factor")
        shown = tab.locator("img.qr").evaluate("image => image.naturalWidth")
        assert shown > 0
        assert {name: each for name, each in found.items() if each} == {}


def test_a_second_factor_is_set_up_and_asked_for(opened, site):
    make(site, "linus")
    with opened() as tab:
        sign_in(tab, site, "linus")
        tab.goto(f"{site.url}/console/account")
        send(tab, "form[action$='second-factor/begin'] button")
        secret = tab.locator("input[name=secret]").get_attribute("value")
        now = int(datetime.now(UTC).timestamp())
        tab.fill("#f-code", _totp(secret).generate(now - 30).decode())
        tab.fill("#f-password", GOOD)
        send(tab, "main form button")
        recovery = tab.locator(".codes code").first.inner_text()
        assert looked_at(tab, "recovery") == []
    with opened() as tab:
        sign_in(tab, site, "linus")
        assert "wrong" in tab.inner_text("[role=alert]")
        sign_in(tab, site, "linus", recovery)
        tab.wait_for_url("**/console/")
