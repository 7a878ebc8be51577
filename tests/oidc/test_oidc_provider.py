"""Signing in at a real OpenID provider process, as ProConnect would be."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sovproxy.usecases.access.accounts import list_accounts
from sovproxy.usecases.access.auditing import audit_page
from sovproxy.usecases.access.own_account import BadSignIn, sign_in
from tests.oidc.conftest import Portal, come_back, form_of, free_port

pytestmark = pytest.mark.xdist_group("oidc")


def audited(portal, what):
    entries = audit_page(portal.store, 50).items
    return [entry for entry in entries if entry.what == what]


def signed_in(portal, login, going=""):
    browser = portal.browser()
    answer = browser.get(come_back(portal, browser, login, going))
    assert answer.status_code == 200, answer.text
    return browser, answer


def test_the_request_is_by_code_with_pkce_state_and_nonce(portal):
    answer = portal.browser().get(f"{portal.url}/console/oidc/start")
    asked = {
        name: values[0]
        for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()
    }
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    assert asked["redirect_uri"] == f"{portal.url}/console/oidc/callback"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/console/oidc" in cookie


def test_a_person_of_the_organisation_gets_the_role_and_the_page_that_was_wanted(portal):
    browser, answer = signed_in(portal, "paul", "/console/catalogue?q=zoom")
    assert answer.headers["refresh"] == "0; url=/console/catalogue?q=zoom"
    page = browser.get(f"{portal.url}/console/account").text
    assert "Paul Langevin" in page
    assert "OpenID provider" in page
    [account] = [item for item in list_accounts(portal.store) if item.login.startswith("paul")]
    assert (account.role, account.way) == ("analyst", "provider")
    assert browser.get(f"{portal.url}/console/accounts").status_code == 403
    assert audited(portal, "sign_in")[0].details == {"way": "oidc"}


def test_who_is_named_becomes_admin_and_signs_in_again_as_the_same(portal):
    signed_in(portal, "marie")
    browser, _ = signed_in(portal, "marie")
    assert browser.get(f"{portal.url}/console/accounts").status_code == 200
    logins = [item.login for item in list_accounts(portal.store)]
    assert logins.count("marie@finances.example") == 1


def test_without_a_fitting_claim_there_is_no_access_and_no_account(portal):
    browser = portal.browser()
    answer = browser.get(come_back(portal, browser, "jean"))
    assert answer.status_code == 403
    assert "no access here" in answer.text
    assert browser.get(f"{portal.url}/console/").status_code == 303
    assert not [item for item in list_accounts(portal.store) if item.login.startswith("jean")]
    assert audited(portal, "sign_in_failed")[0].details["way"] == "oidc"


def test_a_person_of_the_provider_has_no_password_here(portal):
    signed_in(portal, "marie")
    for password in ("", "x"):
        with pytest.raises(BadSignIn):
            sign_in(portal.store, "marie@finances.example", password, "", datetime.now(UTC))


def test_the_way_back_works_once_and_in_the_same_browser_only(portal):
    browser = portal.browser()
    back = come_back(portal, browser, "paul")
    stranger = portal.browser().get(back)
    assert stranger.status_code == 400
    assert browser.get(back).status_code == 400  # the stranger has used the state up
    back = come_back(portal, browser, "paul")
    assert browser.get(back).status_code == 200
    again = browser.get(back)
    assert again.status_code == 400
    assert "did not work" in again.text


@pytest.mark.parametrize("change", ["state", "code", "iss", "no-iss"])
def test_a_way_back_that_was_changed_is_refused(portal, change):
    browser = portal.browser()
    back = httpx.URL(come_back(portal, browser, "paul"))
    if change == "no-iss":
        back = back.copy_remove_param("iss")
    else:
        back = back.copy_set_param(change, "https://evil.example")
    assert browser.get(back).status_code == 400


def test_signing_out_signs_out_of_the_provider_too_and_comes_back(portal):
    browser, _ = signed_in(portal, "paul")
    page = browser.get(f"{portal.url}/console/account").text
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)[1]
    answer = browser.post(f"{portal.url}/console/sign-out", data={"csrf": csrf})
    leaving = answer.headers["refresh"].removeprefix("0; url=")
    assert leaving.startswith(f"{portal.issuer}/session/end?id_token_hint=")
    action, fields = form_of(browser.get(leaving))
    answer = browser.post(action, data=fields | {"logout": "yes"})
    assert answer.headers["location"].startswith(f"{portal.url}/console/sign-in?state=")
    assert "You are signed out" in browser.get(answer.headers["location"]).text
    assert browser.get(f"{portal.url}/console/").status_code == 303
    assert "Sign in with ProConnect" in browser.get(f"{portal.url}/console/sign-in").text


def test_the_levels_that_are_wanted_are_asked_for(portal, tmp_path):
    strict = Portal(tmp_path, portal.issuer, oidc_acr_values="eidas2")
    strict.start()
    try:
        location = strict.browser().get(f"{strict.url}/console/oidc/start").headers["location"]
        assert "acr_values=eidas2" in location
    finally:
        strict.stop()


def test_a_provider_that_is_down_leaves_local_accounts_and_a_clear_page(tmp_path):
    lonely = Portal(tmp_path, f"http://127.0.0.1:{free_port()}").start()
    try:
        answer = lonely.browser().get(f"{lonely.url}/console/oidc/start")
        assert answer.status_code == 503
        assert "cannot be reached" in answer.text
        assert 'name="password"' in answer.text
        assert int(answer.headers["retry-after"]) > 0
    finally:
        lonely.stop()
