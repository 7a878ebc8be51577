"""Accounts, tokens and sessions at the API: admins run them, the audit tells, guessers wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.tokens import Role, command_line

GOOD, BETTER = "quatre mots sans rapport", "un chameau lit le journal"
SIGN_IN = "/api/v1/session/password"
SHELL = command_line("root")


def person(server, login="ada", role=Role.ADMIN):
    store, now = server.services.store, datetime.now(UTC)
    facts, code = accounts.create_account(store, SHELL, now, login=login, name=login, role=role)
    accounts.use_link(store, code, GOOD, now)
    return facts


def sign_in(server, login="ada", password=GOOD):
    answer = server.client.post(SIGN_IN, json={"login": login, "password": password})
    if answer.status_code == 201:
        server.client.headers["x-sovproxy-csrf"] = answer.json()["csrf"]
    return answer


def whats(server):
    items = server.get("/api/v1/audit", Role.AUDITOR, limit=100).json()["items"]
    return [item["what"] for item in items]


def test_a_password_begins_a_session_with_the_accounts_role(server):
    person(server, role=Role.ANALYST)
    answer = sign_in(server)
    assert answer.status_code == 201
    assert answer.json()["role"] == "analyst"
    assert server.client.get("/api/v1/events").status_code == 200
    assert server.client.get("/api/v1/accounts").status_code == 403


def test_the_session_changes_at_every_sign_in_and_the_one_before_ends(server, assert_problem):
    person(server)
    sign_in(server)
    before = server.client.cookies.get("sovproxy_session", path="/api/v1")
    sign_in(server)
    assert server.client.cookies.get("sovproxy_session", path="/api/v1") != before
    server.client.cookies.clear()
    stolen = {"cookie": f"sovproxy_session={before}"}
    assert_problem(server.client.get("/api/v1/session", headers=stolen), 401)


@pytest.mark.parametrize(
    ("login", "password"), [("ada", "wrong"), ("nobody", GOOD), ("", ""), ("ada", "x" * 512)]
)
def test_a_failure_says_nothing_and_is_on_record(server, assert_problem, login, password):
    person(server)
    problem = assert_problem(sign_in(server, login, password), 401, "bad-sign-in")
    assert problem["detail"] == "login name, password or code is wrong"
    [entry] = server.get("/api/v1/audit", Role.AUDITOR, what="sign_in_failed").json()["items"]
    assert entry["details"] == {
        "way": "password",
        "address": "127.0.0.1",
        "login": login if login == "ada" else "",
    }


def test_a_password_typed_as_login_name_is_not_recorded(server):
    sign_in(server, "my-secret-password", "x")
    assert "my-secret" not in server.get("/api/v1/audit", Role.AUDITOR).text


def test_after_ten_failures_an_address_waits_even_with_the_right_password(server, assert_problem):
    person(server)
    for _ in range(10):
        assert_problem(sign_in(server, password="wrong"), 401)
    answer = sign_in(server)
    assert_problem(answer, 429, "too-many-attempts")
    assert 0 < int(answer.headers["retry-after"]) <= 301


@pytest.mark.parametrize("login", ["ada", "nobody"])
def test_an_account_waits_whichever_address_tries_and_whether_it_exists(
    server, assert_problem, login
):
    person(server)
    limit = server.app.state.throttle.accounts
    for _ in range(20):
        limit.note(login, server.services.clock())
    assert_problem(sign_in(server, login), 429, "too-many-attempts")


def test_good_sign_ins_do_not_count(server):
    person(server)
    assert {sign_in(server).status_code for _ in range(12)} == {201}


def test_bad_tokens_have_to_wait_on_any_route_and_good_ones_never(server, assert_problem):
    bad = {"authorization": f"Bearer sov_{'0' * 16}_{'A' * 43}"}
    states = [server.client.get("/api/v1/version", headers=bad).status_code for _ in range(61)]
    assert states == [401] * 60 + [429]
    answer = server.client.get("/api/v1/events", headers=bad)
    assert int(answer.headers["retry-after"]) > 0
    assert server.get("/api/v1/version", Role.NODE).status_code == 200


def test_an_admin_makes_changes_and_removes_an_account(server, assert_problem):
    person(server)
    sign_in(server)
    new = {"login": "Bob", "name": "Bob", "role": "analyst"}
    made = server.client.post("/api/v1/accounts", json=new).json()
    assert made["link"]["path"].startswith("/console/link?code=")
    url = f"/api/v1/accounts/{made['account']['id']}"
    assert server.client.get(url).json()["login"] == "bob"
    assert_problem(server.client.post("/api/v1/accounts", json=new), 409)
    changed = server.client.patch(url, json={"role": "auditor", "disabled": True}).json()
    assert (changed["role"], changed["disabled"]) == ("auditor", True)
    assert_problem(server.client.post(f"{url}/link"), 409)
    assert server.client.patch(url, json={"disabled": False}).json()["disabled"] is False
    assert server.client.post(f"{url}/link").status_code == 201
    assert server.client.delete(f"{url}/sessions").status_code == 204
    assert server.client.delete(f"{url}/second-factor").status_code == 204
    assert server.client.delete(url).status_code == 204
    assert_problem(server.client.get(url), 404, "no-such-account")
    for name in ("create", "role", "disable", "enable", "link", "second_factor", "delete"):
        assert f"account_{name}" in whats(server)


def test_the_last_admin_stays(server, assert_problem):
    url = f"/api/v1/accounts/{person(server).id}"
    sign_in(server)
    for answer in (
        server.client.patch(url, json={"role": "analyst"}),
        server.client.patch(url, json={"disabled": True}),
        server.client.delete(url),
    ):
        assert_problem(answer, 409)
    assert server.client.get("/api/v1/accounts").status_code == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"login": "a"}, {"login": "a b", "name": "x", "role": "admin"},
     {"login": "a", "name": "x", "role": "node"}, {"login": "a", "name": "x" * 65, "role": "admin"},
     {"login": "a", "name": "\0", "role": "admin"}, {"login": "a", "name": "x", "role": "admin",
      "password": "y"}],
)  # fmt: skip
def test_odd_accounts_are_refused(server, body):
    answer = server.client.post("/api/v1/accounts", json=body, headers=server.as_role(Role.ADMIN))
    assert answer.status_code in {409, 422}
    assert accounts.list_accounts(server.services.store) == []


def test_changing_ones_password_needs_the_old_one(server, assert_problem):
    person(server)
    sign_in(server)
    url = "/api/v1/session/password"
    wrong = server.client.put(url, json={"old": "wrong", "new": BETTER})
    assert_problem(wrong, 403, "wrong-password")
    weak = server.client.put(url, json={"old": GOOD, "new": "password1234"})
    assert_problem(weak, 422, "weak-password")
    assert server.client.put(url, json={"old": GOOD, "new": BETTER}).status_code == 204
    assert server.client.get("/api/v1/session").status_code == 200
    assert sign_in(server, password=BETTER).status_code == 201


def test_guessing_the_present_password_has_to_wait(server):
    person(server)
    sign_in(server)
    body = {"old": "wrong", "new": BETTER}
    states = [server.client.put("/api/v1/session/password", json=body).status_code
              for _ in range(21)]  # fmt: skip
    assert states == [403] * 20 + [429]


def test_a_token_has_no_password_to_change(server, assert_problem):
    body, headers = {"old": "x", "new": BETTER}, server.as_role(Role.ADMIN)
    assert_problem(server.client.put("/api/v1/session/password", json=body, headers=headers), 409)


def test_people_see_and_end_their_own_sessions_and_nobody_elses(server, assert_problem):
    person(server)
    person(server, "bob", Role.ANALYST)
    sign_in(server, "bob")
    server.client.cookies.clear()
    sign_in(server)
    server.client.cookies.clear()
    sign_in(server)
    items = server.client.get("/api/v1/sessions").json()["items"]
    assert [item["present"] for item in items].count(True) == len(items) - 1 == 1
    other = next(item["key"] for item in items if not item["present"])
    assert server.client.delete(f"/api/v1/sessions/{other}").status_code == 204
    assert_problem(server.client.delete(f"/api/v1/sessions/{other}"), 404)
    assert server.client.delete("/api/v1/sessions").status_code == 204
    assert len(server.client.get("/api/v1/sessions").json()["items"]) == 1


def test_a_token_is_shown_once_and_revoked_at_once(server, assert_problem):
    admin = server.as_role(Role.ADMIN)
    new = {"name": "proxy-2", "role": "node", "days": 30}
    made = server.client.post("/api/v1/tokens", json=new, headers=admin).json()
    listed = server.client.get("/api/v1/tokens", headers=admin)
    assert made["secret"] not in listed.text
    assert made["token"] in listed.json()["items"]
    bearer = {"authorization": f"Bearer {made['secret']}"}
    assert server.client.get("/api/v1/version", headers=bearer).status_code == 200
    url = f"/api/v1/tokens/{made['token']['id']}"
    assert server.client.delete(url, headers=admin).status_code == 204
    assert_problem(server.client.get("/api/v1/version", headers=bearer), 401)
    assert_problem(server.client.delete(url, headers=admin), 404)
    assert {"token_create", "token_revoke"} <= set(whats(server))
    assert made["secret"] not in server.get("/api/v1/audit", Role.AUDITOR).text


@pytest.mark.parametrize(
    ("path", "params", "state"),
    [("events", {}, 403), ("facets", {}, 403), ("export", {"format": "csv"}, 403),
     ("audit", {}, 200),
     ("overview", {}, 200), ("overview", {"client": "2026-11.aaaabbbbccccdddd"}, 403)],
)  # fmt: skip
def test_auditors_see_counts_and_the_audit_but_no_events(server, path, params, state):
    assert server.get(f"/api/v1/{path}", Role.AUDITOR, **params).status_code == state


def test_the_audit_is_searched_by_name_and_time(server):
    person(server)
    sign_in(server)
    for params, found in (
        ({"name": "ADA"}, True),
        ({"name": "%"}, False),
        ({"since": "2126-01-01T00:00:00Z"}, False),
        ({"until": "2126-01-01T00:00:00Z"}, True),
    ):
        items = server.get("/api/v1/audit", Role.AUDITOR, **params).json()["items"]
        assert bool(items) is found, params
