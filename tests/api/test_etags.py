"""A client that has an answer already gets 304."""

from __future__ import annotations

import pytest

from sovproxy.api.etags import has_already, is_personal
from sovproxy.usecases.access.tokens import Role
from tests.lab.proxies import wait_until

TAGGED = [
    "/api/v1/version",
    "/api/v1/retention",
    "/api/v1/forwarding",
    "/api/v1/health",
    "/api/v1/check?q=zoom.us",
    "/openapi.json",
    "/proxy.pac",
    "/api/v1/ca",
]
PERSONAL = ["/api/v1/events", "/api/v1/facets", "/api/v1/audit", "/api/v1/counts?by=service"]


@pytest.mark.parametrize("path", TAGGED)
def test_the_same_again_is_304_without_a_body(server, path):
    headers = server.as_role(Role.ADMIN)
    wait_until(lambda: server.get("/api/v1/retention").json()["runs"], "the run at the start")
    first = server.client.get(path, headers=headers)
    assert first.status_code == 200
    tag = first.headers["etag"]
    assert "no-store" not in first.headers["cache-control"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.client.get(path, headers=headers | {"if-none-match": known})
        assert (again.status_code, again.content) == (304, b""), known
        assert again.headers["etag"] == tag
        assert again.headers["x-content-type-options"] == "nosniff"
    other = server.client.get(path, headers=headers | {"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", PERSONAL)
def test_what_is_about_persons_is_neither_tagged_nor_kept(server, make_event, path):
    server.deliver([make_event()])
    answer = server.client.get(path, headers=server.as_role(Role.ADMIN))
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_a_problem_is_never_tagged(server):
    answer = server.client.get("/api/v1/nothing", headers={"if-none-match": "*"})
    assert answer.status_code == 404
    assert "etag" not in answer.headers


def test_another_state_has_another_tag(serve):
    problems = ["", "line 3: bad"]
    server = serve(policy_problem=lambda: problems[0])
    before = server.get("/api/v1/health").headers["etag"]
    problems.reverse()
    headers = server.as_role(Role.ADMIN) | {"if-none-match": before}
    assert server.client.get("/api/v1/health", headers=headers).status_code == 200


def test_a_path_that_only_begins_like_a_personal_one_is_not():
    assert is_personal("/api/v1/events/stream")
    assert not is_personal("/api/v1/eventsx")


def test_a_hostile_header_matches_nothing():
    assert not has_already("\x00,,,W/,*,", '"x"')
