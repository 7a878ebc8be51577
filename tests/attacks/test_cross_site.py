"""No other site makes a browser act here: every route that changes something is tried.

The routes are read from the running app, so a new one is tried without a new test.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute

from sovproxy.api.access import SignIn, _flat, access_rows
from sovproxy.api.app import ROUTERS
from sovproxy.console.app import PAGES
from sovproxy.console.forms import posted, posted_here
from sovproxy.usecases.access.tokens import Role

if TYPE_CHECKING:
    import httpx

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
SAFE = {"GET", "HEAD", "OPTIONS"}
UUID = "01a20692-8621-70d7-a99f-dbc898c77802"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
FOREIGN = {
    "Sec-Fetch-Site": {"sec-fetch-site": "cross-site"},
    "Sec-Fetch-Site of a sibling": {"sec-fetch-site": "same-site"},
    "Origin of a sandbox": {"origin": "null"},
}


def routes_of(routers):
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def paths(path: str):
    """A number and an id: one of them fits."""
    return {re.sub(r"\{[^}]*\}", value, path) for value in ("1", UUID)}


POSTS = sorted({route.path for route in routes_of(PAGES) if route.methods & UNSAFE})
API = [row for row in access_rows(ROUTERS) if row[0] in UNSAFE]


def calls_of(route) -> set[object]:
    return {item.call for item in _flat(route.dependant)}


def test_every_post_of_the_console_reads_its_form_through_the_guard():
    forms = [route for route in routes_of(PAGES) if route.methods & UNSAFE]
    assert len(forms) > 30
    open_to_all = {route.path for route in forms if posted_here not in calls_of(route)}
    assert open_to_all == {"/sign-in", "/first", "/link"}
    assert all(posted in calls_of(route) for route in forms)
    assert {method for route in forms for method in route.methods} == {"POST"}


@pytest.fixture(scope="module")
def admin(attacked):
    client = attacked.client(Role.ADMIN)
    client.csrf = CSRF.search(client.get("/console/policy/edit").text)[1]
    yield client
    client.close()


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and "sovproxy_session" not in str(answer.headers)


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_form_of_another_site_is_taken(admin, kind):
    """Though it had the session's cookie and even its CSRF token."""
    for path in POSTS:
        for url in paths(f"/console{path}"):
            answer = admin.post(url, data={"csrf": admin.csrf}, headers=FOREIGN[kind])
            assert answer.status_code in {403, 400}, (url, answer.status_code)
            if answer.status_code == 403:
                break
        else:
            raise AssertionError(f"{path} could not be tried")


@pytest.mark.parametrize("csrf", ["", "A" * 43])
def test_no_form_without_the_token_of_this_session_is_taken(admin, csrf):
    tried = 0
    for path in POSTS:
        if path in {"/sign-in", "/first", "/link"}:
            continue
        answers = [admin.post(url, data={"csrf": csrf}) for url in paths(f"/console{path}")]
        assert any(refused(answer) for answer in answers), path
        assert {answer.status_code for answer in answers} <= {403, 400}, path
        tried += 1
    assert tried > 30


def test_the_token_of_another_session_does_not_fit(attacked, admin):
    other = attacked.client(Role.ADMIN)
    for path in ("/sign-out", "/policy/apply", "/accounts"):
        assert refused(other.post(f"/console{path}", data={"csrf": admin.csrf})), path
    assert other.get("/console/").status_code == 200


def test_a_cookie_alone_changes_nothing_at_the_api(attacked, admin):
    begins = {
        (method, route.path)
        for route in routes_of(ROUTERS)
        for method in route.methods
        if any(isinstance(item, SignIn) for item in calls_of(route))
    }
    tried = 0
    for method, path, roles in API:
        if roles is None:
            continue
        wanted = 401 if (method, path) in begins else 403
        for headers in ({}, {"x-sovproxy-csrf": "A" * 43}):
            answers = [admin.request(method, url, headers=headers) for url in paths(path)]
            assert {answer.status_code for answer in answers} == {wanted}, (method, path)
        tried += 1
    assert tried > 30
    assert admin.get("/console/").status_code == 200


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_no_form_can_sign_a_browser_in_at_the_api(attacked, media):
    """What a page elsewhere may send without asking is not read as JSON."""
    body = b'{"login": "ada", "password": "sieve lantern forty orchard"}'
    headers = {"content-type": media} if media else {}
    with attacked.client(None) as client:
        answer = client.post("/api/v1/session/password", content=body, headers=headers)
    assert answer.status_code in {415, 422}
    assert "set-cookie" not in answer.headers


def test_no_page_changes_anything_by_being_read(attacked, admin):
    """Pages and API answer HEAD and GET without a new row but the audit's and the session's."""
    before = counts(attacked)
    for route in (*routes_of(PAGES), *routes_of(ROUTERS)):
        base = "/console" if route in routes_of(PAGES) else ""
        if not route.methods & SAFE or "stream" in route.path or "state" in route.path:
            continue
        for url in paths(f"{base}{route.path}"):
            assert admin.get(url).status_code < 500, url
    after = counts(attacked)
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= {"audit", "audit_state", "audit_heads"}, changed


def counts(site) -> dict[str, list]:
    """Every row of every table, but for times of use."""
    from sqlalchemy import MetaData, func, select  # noqa: PLC0415  # here only

    with site.services.store.reading() as connection:
        found = MetaData()
        found.reflect(connection)
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar()
            for name, table in found.tables.items()
        }


def test_nobody_else_may_read_the_answers(attacked, admin):
    """No CORS: a page elsewhere gets no answer to read, whatever it asks with."""
    for url in ("/api/v1/policy", "/console/", "/api/v1/bundle", "/api/v1/session"):
        headers = {"origin": "https://evil.example", "access-control-request-method": "GET"}
        for method in ("GET", "OPTIONS"):
            answer = admin.request(method, url, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert admin.get(url).headers["cross-origin-resource-policy"] == "same-origin"
