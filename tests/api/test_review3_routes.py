"""What callers may send without a mistake of ours coming out, and what no client keeps."""

from __future__ import annotations

import pytest

from sovproxy.usecases.access.tokens import Role
from tests.api.conftest import NOW

ME = "2026-11.aaaabbbbccccdddd"
STATE = "/api/v1/fleet/state"


@pytest.mark.parametrize("password", ["\ud800 quatre mots sans rapport", "\udfff"])
def test_half_a_surrogate_pair_is_a_wrong_password_and_no_mistake(server, password):
    body = b'{"login": "ada", "password": "%s"}' % password.encode("ascii", "backslashreplace")
    headers = {"content-type": "application/json"}
    answer = server.client.post("/api/v1/session/password", content=body, headers=headers)
    assert answer.status_code in {401, 422}, answer.text


@pytest.mark.parametrize("tail", ["x", "-5", "", "1.2", "\u00b2"])
def test_a_version_that_is_none_of_ours_is_told_everything(server, tail):
    headers = server.as_role(Role.NODE)
    head = server.client.get(STATE, headers=headers).json()["version"].partition(".")[0]
    known = f'"{head}.{tail}"'.encode()
    answer = server.client.get(STATE, headers={**headers, "if-none-match": known})
    assert answer.status_code == 200, answer.text
    assert answer.json()["since"] == 0


@pytest.mark.parametrize(
    "path",
    [f"/api/v1/candidates?client={ME}", f"/api/v1/check?q=zoom.us&client={ME}"],
)
def test_what_is_asked_about_one_client_is_not_kept(server, make_event, path):
    server.deliver([make_event(time=NOW)])
    answer = server.client.get(path, headers=server.as_role(Role.ADMIN))
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
