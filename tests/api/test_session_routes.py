"""Sessions by the book: cookie, expiry, forgery, throttling."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie

import pytest

from sovproxy.api.throttle import Throttle
from sovproxy.usecases.access.tokens import Role, create_token, list_tokens, revoke_token

URL = "/api/v1/session"
START = datetime.now(UTC)


class Clock:
    """A clock that a test turns."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def turn(self, **amount):
        self.now += timedelta(**amount)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timed(serve, clock):
    return serve(clock=clock)


def sign_in(server, role=Role.ANALYST, **headers):
    answer = server.client.post(URL, headers=server.as_role(role) | headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_session_reads_what_its_token_may_read(server):
    answer = sign_in(server)
    assert answer["role"] == "analyst"
    assert server.client.get("/api/v1/events").status_code == 200
    assert server.client.get(URL).json()["csrf"] == answer["csrf"]


def test_a_session_has_no_more_rights_than_its_token(server, assert_problem):
    sign_in(server, Role.AUDITOR)
    assert_problem(server.client.get("/api/v1/events"), 403, "forbidden")
    assert server.client.get("/api/v1/audit").status_code == 200


@pytest.mark.parametrize(("host", "secure"), [("127.0.0.1", False), ("proxy.example", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server, host, secure):
    headers = server.as_role(Role.ANALYST) | {"host": host}
    cookies = server.client.post(URL, headers=headers).headers.get_list("set-cookie")
    assert len(cookies) == 2
    for text, path in zip(cookies, ("/api/v1", "/console"), strict=True):
        [(name, cookie)] = SimpleCookie(text).items()
        assert name == ("__Secure-sovproxy_session" if secure else "sovproxy_session")
        assert bool(cookie["secure"]) is secure
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert cookie["path"] == path
        assert not cookie["domain"]


def test_only_a_hash_of_the_cookie_is_stored(server, tmp_path):
    sign_in(server)
    secret = server.client.cookies.get("sovproxy_session", path="/api/v1")
    with sqlite3.connect(tmp_path / "data" / "sovproxy.sqlite") as connection:
        text = "".join(connection.iterdump())
    assert len(secret) == 43
    assert secret not in text


def test_a_session_ends_after_30_minutes_without_use(timed, clock, assert_problem):
    sign_in(timed)
    for _ in range(3):
        clock.turn(minutes=29)
        assert timed.client.get("/api/v1/events").status_code == 200
    clock.turn(minutes=30)
    assert_problem(timed.client.get("/api/v1/events"), 401)


def test_a_session_ends_after_8_hours_in_any_case(timed, clock, assert_problem):
    sign_in(timed)
    for _ in range(19):
        clock.turn(minutes=25)
        assert timed.client.get("/api/v1/events").status_code == 200
    clock.turn(minutes=10)
    assert_problem(timed.client.get("/api/v1/events"), 401)


def test_signing_out_ends_the_session_at_the_server(server, assert_problem):
    csrf = sign_in(server)["csrf"]
    secret = server.client.cookies.get("sovproxy_session", path="/api/v1")
    assert server.client.delete(URL, headers={"x-sovproxy-csrf": csrf}).status_code == 204
    stolen = {"cookie": f"sovproxy_session={secret}"}
    assert_problem(server.client.get("/api/v1/events", headers=stolen), 401)


def test_a_session_ends_with_its_token(server, assert_problem):
    sign_in(server)
    [token] = list_tokens(server.services.store)
    revoke_token(server.services.store, token.id)
    assert_problem(server.client.get("/api/v1/events"), 401)


@pytest.mark.parametrize("shown", [{}, {"x-sovproxy-csrf": "0" * 64}, {"x-sovproxy-csrf": "é"}])
def test_a_forged_unsafe_request_is_refused(server, assert_problem, shown):
    sign_in(server)
    headers = {name: value.encode() for name, value in shown.items()}
    assert_problem(server.client.delete(URL, headers=headers), 403, "csrf")
    answer = server.client.post("/api/v1/check", json={"queries": ["x.example"]}, headers=headers)
    assert_problem(answer, 403, "csrf")
    assert server.client.get(URL).status_code == 200


def test_an_unsafe_request_with_the_sessions_csrf_token_passes(server):
    headers = {"x-sovproxy-csrf": sign_in(server)["csrf"]}
    answer = server.client.post("/api/v1/check", json={"queries": ["x.example"]}, headers=headers)
    assert answer.status_code == 200


def test_the_csrf_token_of_another_session_does_not_fit(server, assert_problem):
    other = sign_in(server)["csrf"]
    sign_in(server)
    assert_problem(server.client.delete(URL, headers={"x-sovproxy-csrf": other}), 403, "csrf")


def test_a_cookie_cannot_begin_a_session(server, assert_problem):
    csrf = sign_in(server)["csrf"]
    assert_problem(server.client.post(URL, headers={"x-sovproxy-csrf": csrf}), 401)


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 5000, "'; DROP TABLE session;--"])
def test_a_made_up_cookie_opens_nothing(server, assert_problem, cookie):
    headers = {"cookie": f"sovproxy_session={cookie}"}
    assert_problem(server.client.get("/api/v1/events", headers=headers), 401)


def test_a_bearer_token_is_no_session(server, assert_problem):
    assert_problem(server.get(URL), 404, "no-session")


def test_a_token_has_20_sessions_at_most(server):
    token = create_token(server.services.store, Role.ANALYST, "Ada")
    headers, secrets = {"authorization": f"Bearer {token}"}, []
    for _ in range(21):
        server.client.cookies.clear()
        server.client.post(URL, headers=headers)
        secrets.append(server.client.cookies.get("sovproxy_session", path="/api/v1"))
    server.client.cookies.clear()
    states = [
        server.client.get(URL, headers={"cookie": f"sovproxy_session={secret}"}).status_code
        for secret in secrets
    ]
    assert states == [401] + [200] * 20


def test_too_many_failures_from_an_address_have_to_wait(timed, clock, assert_problem):
    bad = {"authorization": f"Bearer sov_{'0' * 16}_{'A' * 43}"}
    for _ in range(10):
        assert_problem(timed.client.post(URL, headers=bad), 401)
    answer = timed.client.post(URL, headers=bad)
    assert_problem(answer, 429, "too-many-attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 301
    assert_problem(timed.client.post(URL, headers=timed.as_role(Role.ADMIN)), 429)
    clock.turn(minutes=6)
    sign_in(timed)


def test_an_ipv6_network_counts_as_one_address_and_memory_is_bounded():
    throttle = Throttle()
    for number in range(10):
        throttle.failed(f"2001:db8::{number}", START)
    assert throttle.wait("2001:db8::ffff", START) > 0
    assert throttle.wait("2001:db8:0:1::1", START) == 0
    for number in range(10_001):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", START)
    assert throttle.wait("2001:db8::1", START) == 0
    assert len(throttle.addresses) == 10_000
