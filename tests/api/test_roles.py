from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter

from sovproxy.api.access import EVERYBODY, access_rows, allow
from sovproxy.api.app import ROUTERS, bare_app
from sovproxy.api.openapi import openapi_text, roles_table, with_roles_table
from sovproxy.usecases.access.tokens import Role, create_token, list_tokens, revoke_token

DOCS = Path(__file__).parents[2] / "docs"

# Written by hand on purpose: the code is compared with what was meant.
MEANT = {
    ("GET", "/api/v1/accounts"): {"admin"},
    ("POST", "/api/v1/accounts"): {"admin"},
    ("DELETE", "/api/v1/accounts/{account_id}"): {"admin"},
    ("GET", "/api/v1/accounts/{account_id}"): {"admin"},
    ("PATCH", "/api/v1/accounts/{account_id}"): {"admin"},
    ("POST", "/api/v1/accounts/{account_id}/link"): {"admin"},
    ("DELETE", "/api/v1/accounts/{account_id}/second-factor"): {"admin"},
    ("DELETE", "/api/v1/accounts/{account_id}/sessions"): {"admin"},
    ("GET", "/api/v1/audit"): {"admin", "auditor"},
    ("GET", "/api/v1/audit/chain"): {"admin", "auditor"},
    ("GET", "/api/v1/bundle"): None,
    ("GET", "/api/v1/bundle/keys"): None,
    ("GET", "/api/v1/ca"): None,
    ("GET", "/api/v1/catalogue/local"): {"analyst", "admin", "auditor"},
    ("GET", "/api/v1/catalogue/local/{kind}/{entry_id}"): {"analyst", "admin", "auditor"},
    ("PUT", "/api/v1/catalogue/local/{kind}/{entry_id}"): {"admin"},
    ("DELETE", "/api/v1/catalogue/local/{kind}/{entry_id}"): {"admin"},
    ("GET", "/api/v1/check"): {"node", "worker", "analyst", "admin", "auditor"},
    ("POST", "/api/v1/check"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/counts"): {"analyst", "admin"},
    ("GET", "/api/v1/fleet/catalogue"): {"node"},
    ("GET", "/api/v1/events"): {"analyst", "admin"},
    ("POST", "/api/v1/events"): {"node"},
    ("GET", "/api/v1/events/stream"): {"analyst", "admin"},
    ("GET", "/api/v1/events/{event_id}"): {"analyst", "admin"},
    ("GET", "/api/v1/exceptions"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/exceptions"): {"node", "worker", "admin"},
    ("GET", "/api/v1/exceptions/mine"): {"node", "worker"},
    ("GET", "/api/v1/exceptions/{exception_id}"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/exceptions/{exception_id}/grant"): {"admin"},
    ("POST", "/api/v1/exceptions/{exception_id}/refuse"): {"admin"},
    ("POST", "/api/v1/exceptions/{exception_id}/revoke"): {"admin"},
    ("POST", "/api/v1/exceptions/{exception_id}/withdraw"): {"node", "worker", "admin"},
    ("GET", "/api/v1/export"): {"analyst", "admin"},
    ("GET", "/api/v1/facets"): {"analyst", "admin"},
    ("GET", "/api/v1/forwarding"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/forwarding/{name}/test"): {"admin"},
    ("POST", "/api/v1/fleet/acknowledgements"): {"node"},
    ("POST", "/api/v1/fleet/heartbeat"): {"node"},
    ("POST", "/api/v1/fleet/resolutions/{resolution_id}"): {"node"},
    ("GET", "/api/v1/fleet/state"): {"node"},
    ("GET", "/api/v1/persons/requests"): {"admin", "auditor"},
    ("POST", "/api/v1/persons/requests"): {"admin"},
    ("POST", "/api/v1/persons/requests/{request_id}/approve"): {"admin", "auditor"},
    ("POST", "/api/v1/persons/requests/{request_id}/refuse"): {"admin", "auditor"},
    ("GET", "/api/v1/persons/requests/{request_id}/data"): {"admin"},
    ("POST", "/api/v1/persons/requests/{request_id}/erase"): {"admin"},
    ("GET", "/api/v1/my"): {"worker"},
    ("POST", "/api/v1/my/acknowledgements"): {"worker"},
    ("POST", "/api/v1/my/contests"): {"worker"},
    ("GET", "/api/v1/my/permissions"): {"worker"},
    ("GET", "/api/v1/papers/check"): {"admin", "auditor"},
    ("GET", "/api/v1/papers/{paper}"): {"admin", "auditor"},
    ("GET", "/api/v1/nodes"): {"analyst", "admin", "auditor"},
    ("DELETE", "/api/v1/nodes/{node_id}"): {"admin"},
    ("GET", "/api/v1/retention"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/retention/runs"): {"admin"},
    ("GET", "/metrics"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/meetings"): {"worker"},
    ("POST", "/api/v1/rooms"): {"worker"},
    ("GET", "/api/v1/services"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/services/{service_id}"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/alternatives"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/operators"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/operators/{operator_id}"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/powers"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/health"): None,
    ("GET", "/api/v1/histogram"): {"analyst", "admin"},
    ("GET", "/api/v1/overview"): {"analyst", "admin", "auditor"},
    ("GET", "/api/v1/pac"): None,
    ("GET", "/api/v1/policy"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/policy/apply"): {"admin"},
    ("GET", "/api/v1/policy/diff"): {"analyst", "admin", "auditor"},
    ("GET", "/api/v1/policy/drafts"): {"analyst", "admin"},
    ("POST", "/api/v1/policy/drafts"): {"analyst", "admin"},
    ("DELETE", "/api/v1/policy/drafts/{draft}"): {"analyst", "admin"},
    ("GET", "/api/v1/policy/drafts/{draft}"): {"analyst", "admin"},
    ("PUT", "/api/v1/policy/drafts/{draft}"): {"analyst", "admin"},
    ("POST", "/api/v1/policy/explain"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/policy/rollback"): {"admin"},
    ("POST", "/api/v1/policy/simulate"): {"analyst", "admin"},
    ("POST", "/api/v1/policy/validate"): {"analyst", "admin", "auditor"},
    ("GET", "/api/v1/policy/versions"): {"analyst", "admin", "auditor"},
    ("GET", "/api/v1/policy/versions/{number}"): {"analyst", "admin", "auditor"},
    ("DELETE", "/api/v1/session"): {"worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/session"): {"worker", "analyst", "admin", "auditor"},
    ("POST", "/api/v1/session"): {"worker", "analyst", "admin", "auditor"},
    ("POST", "/api/v1/session/password"): None,
    ("PUT", "/api/v1/session/password"): {"analyst", "admin", "auditor"},
    ("DELETE", "/api/v1/sessions"): {"worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/sessions"): {"worker", "analyst", "admin", "auditor"},
    ("DELETE", "/api/v1/sessions/{key}"): {"worker", "analyst", "admin", "auditor"},
    ("GET", "/api/v1/tokens"): {"admin"},
    ("POST", "/api/v1/tokens"): {"admin"},
    ("DELETE", "/api/v1/tokens/{token_id}"): {"admin"},
    ("GET", "/api/v1/candidates"): {"analyst", "admin"},
    ("GET", "/api/v1/findings"): {"analyst", "admin"},
    ("POST", "/api/v1/findings"): {"analyst", "admin"},
    ("POST", "/api/v1/findings/rule"): {"analyst", "admin"},
    ("GET", "/api/v1/findings/{finding_id}"): {"analyst", "admin"},
    ("PATCH", "/api/v1/findings/{finding_id}"): {"analyst", "admin"},
    ("POST", "/api/v1/findings/{finding_id}/notes"): {"analyst", "admin"},
    ("GET", "/api/v1/resolutions"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/resolutions"): {"analyst", "admin"},
    ("GET", "/api/v1/resolutions/{resolution_id}"): {"analyst", "admin", "auditor"},
    ("POST", "/api/v1/resolutions/{resolution_id}/approve"): {"admin", "auditor"},
    ("POST", "/api/v1/resolutions/{resolution_id}/refuse"): {"admin", "auditor"},
    ("GET", "/api/v1/suppressions"): {"analyst", "admin"},
    ("POST", "/api/v1/suppressions"): {"analyst", "admin"},
    ("DELETE", "/api/v1/suppressions/{suppression_id}"): {"analyst", "admin"},
    ("GET", "/api/v1/views"): {"analyst", "admin"},
    ("POST", "/api/v1/views"): {"analyst", "admin"},
    ("PUT", "/api/v1/views/first"): {"analyst", "admin"},
    ("DELETE", "/api/v1/views/{view_id}"): {"analyst", "admin"},
    ("GET", "/api/v1/views/{view_id}"): {"analyst", "admin"},
    ("PATCH", "/api/v1/views/{view_id}"): {"analyst", "admin"},
    ("GET", "/api/v1/version"): {"node", "worker", "analyst", "admin", "auditor"},
    ("GET", "/ca.pem"): None,
    ("GET", "/proxy.pac"): None,
}


def test_the_code_states_the_roles_that_were_meant():
    assert {(method, path): roles for method, path, roles in access_rows(ROUTERS)} == MEANT


def test_every_cell_of_the_table_holds_on_a_running_server(server, assert_problem):
    headers = {role: server.as_role(role) for role in Role}
    for (method, path), roles in MEANT.items():
        url = path.replace("{event_id}", "01a20692-8621-70d7-a99f-dbc898c77802")
        anonymous = server.client.request(method, url)
        if roles is not None:
            assert_problem(anonymous, 401, "unauthorized")
            assert anonymous.headers["www-authenticate"].startswith("Bearer realm=")
        else:
            # 422: it wants something to read; this server was given no catalogue to bundle
            expected = {404} if path.startswith("/api/v1/bundle") else {200, 422}
            assert anonymous.status_code in expected, path
        for role in Role:
            with server.client.stream(method, url, headers=headers[role]) as answer:
                if answer.status_code >= 400:
                    answer.read()
            server.client.cookies.clear()
            if roles is None or role in roles:
                assert answer.status_code not in {401, 403}, (method, path, role)
            else:
                assert "insufficient_scope" in answer.headers["www-authenticate"]
                assert_problem(answer, 403, "forbidden")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic dTpw", f"Bearer sov_{'0' * 16}_{'A' * 43}"],
)
def test_a_bad_authorization_header_is_401(server, assert_problem, header):
    answer = server.client.get("/api/v1/events", headers={"authorization": header})
    assert_problem(answer, 401, "unauthorized")


def test_a_revoked_token_is_useless_at_once(server, assert_problem):
    headers = server.as_role(Role.ANALYST)
    assert server.client.get("/api/v1/events", headers=headers).status_code == 200
    [token] = list_tokens(server.services.store)
    revoke_token(server.services.store, token.id)
    assert_problem(server.client.get("/api/v1/events", headers=headers), 401)


def test_an_expired_token_is_useless(server, assert_problem):
    past = datetime.now(UTC) - timedelta(days=3)
    token = create_token(server.services.store, Role.ANALYST, "old", days=2, now=past)
    answer = server.client.get("/api/v1/events", headers={"authorization": f"Bearer {token}"})
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert_problem(answer, 401)


def test_a_token_with_another_secret_is_refused(server, assert_problem):
    token = create_token(server.services.store, Role.ADMIN, "admin")
    forged = token[:-43] + "A" * 43
    answer = server.client.get("/api/v1/events", headers={"authorization": f"Bearer {forged}"})
    assert_problem(answer, 401)


def test_a_route_that_states_no_role_is_found():
    router = APIRouter()
    router.add_api_route("/forgotten", lambda: None)
    with pytest.raises(LookupError, match="/forgotten must state once"):
        access_rows([router])


def test_a_route_that_states_two_things_is_found():
    router = APIRouter(dependencies=[EVERYBODY])
    router.add_api_route("/both", lambda: None, dependencies=[allow(Role.ADMIN)])
    with pytest.raises(LookupError, match="/both must state once"):
        access_rows([router])


def test_the_table_in_the_docs_is_the_one_in_the_code():
    text = (DOCS / "api.md").read_text("utf-8")
    assert text == with_roles_table(text, roles_table(ROUTERS))


def test_the_openapi_file_in_the_docs_describes_this_code():
    assert (DOCS / "openapi.json").read_text("utf-8") == openapi_text(bare_app())
