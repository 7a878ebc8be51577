"""What a lying, broken or mixed-up OpenID provider can say: nobody is signed in by it."""

from __future__ import annotations

import time

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import delete

from sovproxy.settings import Settings
from sovproxy.store.tables import ACCOUNTS, SESSIONS, SIGN_INS
from sovproxy.usecases.access.accounts import list_accounts
from sovproxy.usecases.access.oidc_http import ProviderHttp
from sovproxy.usecases.access.oidc_settings import UnusableProvider, read_oidc
from tests.oidc.conftest import ROLES, Portal
from tests.oidc.hostile import HostileProvider

pytestmark = pytest.mark.xdist_group("oidc")


@pytest.fixture(scope="module")
def hostile():
    found = HostileProvider()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def shared(hostile, tmp_path_factory):
    found = Portal(tmp_path_factory.mktemp("hostile"), hostile.issuer).start()
    yield found
    found.stop()


@pytest.fixture
def portal(shared, hostile):
    """As good as new: nothing remembered of the provider, no accounts, nobody has to wait."""
    hostile.reset()
    shared.app.state.services.oidc._http = ProviderHttp(hostile.issuer)
    shared.app.state.throttle.__init__()
    with shared.store.writing() as connection:
        for table in (ACCOUNTS, SIGN_INS, SESSIONS):
            connection.execute(delete(table))
    return shared


def attempt(portal, hostile, **changes):
    browser = portal.browser()
    began = browser.get(f"{portal.url}/console/oidc/start")
    assert began.status_code == 303, began.text
    given = hostile.back(began.headers["location"], **changes)
    given = {name: value for name, value in given.items() if value}
    return browser.get(f"{portal.url}/console/oidc/callback", params=given)


def assert_refused(answer, portal, status=400):
    assert answer.status_code == status, answer.text
    assert "sovproxy_session" not in answer.headers.get("set-cookie", "")
    assert list_accounts(portal.store) == []
    for secret in ("nonce", "Traceback", "signature", "code=", "state="):
        assert secret not in answer.text


def test_in_good_faith_it_signs_in(portal, hostile):
    """Otherwise the refusals below would prove nothing."""
    answer = attempt(portal, hostile)
    assert answer.status_code == 200, answer.text
    assert [item.role.value for item in list_accounts(portal.store)] == ["analyst"]


NOW = int(time.time())
LIES = {
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": ["x"]},
    "expired": {"exp": NOW - 3600, "iat": NOW - 7200},
    "no expiry": {"exp": None},
    "an expiry that is no number": {"exp": "tomorrow"},
    "made in the future": {"iat": NOW + 3600},
    "made long ago": {"iat": NOW - 3600},
    "not valid yet": {"nbf": NOW + 3600},
    "for another client": {"aud": "another"},
    "for nobody": {"aud": None},
    "for two, given to another": {"aud": ["sovproxy", "another"], "azp": "another"},
    "for two, given to nobody": {"aud": ["sovproxy", "another"]},
    "given to another": {"azp": "another"},
    "of another issuer": {"iss": "https://evil.example"},
    "of an issuer with a slash more": {"iss": "http://127.0.0.1:1/"},
    "of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "of nobody": {"sub": None},
    "of an endless name": {"sub": "x" * 256},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_lies_is_refused(portal, hostile, lie):
    hostile.claims = LIES[lie]
    assert_refused(attempt(portal, hostile), portal)


def test_a_token_without_signature_is_refused(portal, hostile):
    hostile.header, hostile.key = {"alg": "none"}, None
    assert_refused(attempt(portal, hostile), portal)


@pytest.mark.parametrize("algorithm", ["None", "", "HS256", 5, ["RS256"]])
def test_algorithms_that_are_not_permitted_are_refused(portal, hostile, algorithm):
    hostile.header = {"alg": algorithm}
    hostile.key = hostile.public_key_as_secret() if algorithm == "HS256" else None
    assert_refused(attempt(portal, hostile), portal)


def test_a_signature_by_another_key_is_refused(portal, hostile):
    hostile.key = hostile.other
    assert_refused(attempt(portal, hostile), portal)


def test_claims_changed_after_signing_are_refused(portal, hostile):
    hostile.tamper = True
    assert_refused(attempt(portal, hostile), portal)


def test_a_token_whose_header_asks_for_an_extension_is_refused(portal, hostile):
    hostile.header, hostile.key = {"alg": "RS256", "kid": "rsa-1", "crit": ["x"], "x": 1}, None
    assert_refused(attempt(portal, hostile), portal)


def test_a_key_of_another_type_under_the_same_name_is_not_used(portal, hostile):
    hostile.header, hostile.key, hostile.keys = {"alg": "ES256", "kid": "ec-1"}, hostile.ec, []
    assert_refused(attempt(portal, hostile), portal)


def test_a_new_key_of_the_provider_is_fetched(portal, hostile, monkeypatch):
    monkeypatch.setattr("sovproxy.usecases.access.oidc_http.RETRY_SECONDS", 0)
    assert attempt(portal, hostile).status_code == 200
    new = RSAKey.generate_key(2048, {"kid": "rsa-2", "use": "sig"})
    hostile.key, hostile.header, hostile.keys = new, {"alg": "RS256", "kid": "rsa-2"}, [
        hostile.rsa, new]  # fmt: skip
    assert attempt(portal, hostile).status_code == 200


def test_unknown_keys_do_not_make_it_ask_again_and_again(portal, hostile):
    hostile.header = {"alg": "RS256", "kid": "unknown"}
    for _ in range(4):
        assert attempt(portal, hostile).status_code == 400
    assert hostile.asked.count("/jwks") == 1
    assert hostile.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("changes", [{"iss": "https://evil.example"}, {"state": "x" * 43},
                                     {"state": ""}, {"code": ""}, {"code": "x" * 5000},
                                     {"code": "made-up"}])  # fmt: skip
def test_a_way_back_that_does_not_fit_is_refused(portal, hostile, changes):
    assert_refused(attempt(portal, hostile, **changes), portal)


def test_without_its_issuer_the_way_back_is_refused_where_the_provider_sends_it(portal, hostile):
    hostile.discovery = {"authorization_response_iss_parameter_supported": True}
    assert_refused(attempt(portal, hostile, iss=""), portal)


def test_a_refusal_of_the_provider_is_no_sign_in(portal, hostile):
    hostile.claims = {}
    answer = attempt(portal, hostile, error="<script>alert(1)</script>")
    assert_refused(answer, portal)
    assert "<script>alert" not in answer.text


def test_a_code_is_good_once(portal, hostile):
    browser = portal.browser()
    location = browser.get(f"{portal.url}/console/oidc/start").headers["location"]
    given = hostile.back(location)
    assert browser.get(f"{portal.url}/console/oidc/callback", params=given).status_code == 200
    location = browser.get(f"{portal.url}/console/oidc/start").headers["location"]
    stolen = hostile.back(location) | {"code": given["code"]}
    assert browser.get(f"{portal.url}/console/oidc/callback", params=stolen).status_code == 400


@pytest.mark.parametrize(
    "lie",
    [{"sub": "person-2"}, {"iss": "https://evil.example"}, {"aud": "another"}],
)
def test_userinfo_of_somebody_else_is_refused(portal, hostile, lie):
    hostile.userinfo = lie
    assert_refused(attempt(portal, hostile), portal)


def test_userinfo_signed_by_another_key_is_refused(portal, hostile):
    hostile.userinfo_key = hostile.other
    assert_refused(attempt(portal, hostile), portal)


def test_userinfo_as_plain_json_is_read(portal, hostile):
    hostile.userinfo_type = "application/json; charset=utf-8"
    assert attempt(portal, hostile).status_code == 200


def test_userinfo_cannot_change_what_the_id_token_says(portal, hostile):
    hostile.claims = {"siret": "99999999999999"}
    assert_refused(attempt(portal, hostile), portal, 403)


def test_an_email_that_is_not_verified_gives_no_role(portal, hostile):
    hostile.userinfo = {"siret": "", "email": "marie@finances.example", "email_verified": False}
    assert_refused(attempt(portal, hostile), portal, 403)


def test_hostile_names_are_shown_harmless(portal, hostile):
    hostile.userinfo = {"name": "<script>alert(1)</script>\u202e\0" * 20, "email": "<b>@x"}
    answer = attempt(portal, hostile)
    assert answer.status_code == 200
    [account] = list_accounts(portal.store)
    assert len(account.name) <= 64
    assert account.name.isprintable()
    assert account.login.startswith("oidc-")


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://169.254.169.254/latest/meta-data"},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 5},
        {"userinfo_endpoint": "https://127.0.0.1.evil.example/userinfo"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://user@127.0.0.1/"},
        {"end_session_endpoint": "https://evil.example/leave"},
        {"jwks_uri": ""},
    ],
)
def test_addresses_off_the_issuers_host_are_never_asked(portal, hostile, discovery):
    hostile.discovery = discovery
    answer = portal.browser().get(f"{portal.url}/console/oidc/start")
    assert answer.status_code == 503
    assert hostile.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b"5", b"[" * 100_000, b'{"keys": 1}', b'"' + b"x" * 400_000]
)
def test_odd_and_endless_answers_are_a_clear_page(portal, hostile, path, body):
    hostile.body = {path: body}
    browser = portal.browser()
    answer = browser.get(f"{portal.url}/console/oidc/start")
    if answer.status_code == 303:
        given = hostile.back(answer.headers["location"])
        answer = browser.get(f"{portal.url}/console/oidc/callback", params=given)
    assert answer.status_code in {400, 503}
    assert 'name="password"' in answer.text


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
def test_redirects_are_not_followed(portal, hostile, path):
    hostile.redirects = {path}
    browser = portal.browser()
    answer = browser.get(f"{portal.url}/console/oidc/start")
    if answer.status_code == 303:
        given = hostile.back(answer.headers["location"])
        answer = browser.get(f"{portal.url}/console/oidc/callback", params=given)
    assert answer.status_code in {400, 503}
    assert "/elsewhere" not in hostile.asked


def test_beginning_again_and_again_has_to_wait(portal):
    browser = portal.browser()
    states = [browser.get(f"{portal.url}/console/oidc/start").status_code for _ in range(31)]
    assert states == [303] * 30 + [429]


def settings(tmp_path, **changes):
    secret = tmp_path / "secret"
    secret.write_text("s")
    values = {"oidc_issuer": "https://idp.example", "oidc_client_id": "c", "data_dir": tmp_path,
              "oidc_client_secret_file": secret, "oidc_roles": ROLES}  # fmt: skip
    return Settings(**values | changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oidc_issuer": "http://idp.example"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "https://idp.example?x=1"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "idp.example"}, "OIDC_ISSUER"),
        ({"public_url": "http://proxy.example"}, "PUBLIC_URL"),
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID"),
        ({"oidc_client_secret_file": None}, "OIDC_CLIENT_SECRET_FILE"),
        ({"oidc_scopes": "profile"}, "OIDC_SCOPES"),
        ({"oidc_algorithms": "none"}, "OIDC_ALGORITHMS"),
        ({"oidc_algorithms": "RS256 HS256"}, "OIDC_ALGORITHMS"),
        ({"oidc_algorithms": ""}, "OIDC_ALGORITHMS"),
        ({"oidc_roles": {"worker": ["siret=1"]}}, "OIDC_ROLES"),
        ({"oidc_roles": {"analyst": ["siret"]}}, "OIDC_ROLES"),
        ({"oidc_roles": {"analyst": ["=1"]}}, "OIDC_ROLES"),
        ({"oidc_roles": {"admin": ["siret=11002001300097"]}}, "OIDC_ROLES: admin by siret"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, changes, named):
    with pytest.raises(UnusableProvider, match=named):
        read_oidc(settings(tmp_path, **changes))


def test_without_an_issuer_there_is_no_provider(tmp_path):
    assert read_oidc(settings(tmp_path, oidc_issuer="")) is None
