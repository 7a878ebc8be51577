"""Floods at the limits of the API: whoever floods is told so or closed, and others are served."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import httpx
import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab.apis import Api
from tests.lab.clients import read_all, read_answer
from tests.lab.proxies import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-limits-api")]

SMALL = {
    "API_CONNECTIONS": "30",
    "API_CLIENT_CONNECTIONS": "12",
    "API_HEAD_BYTES": "4096",
    "API_HEAD_SECONDS": "2",
    "API_BODY_SECONDS": "2",
}
FIELDS = b"".join(b"X-%d: a\r\n" % number for number in range(250))
ASK = b"GET /api/v1/health HTTP/1.1\r\nHost: api\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    settings = {f"SOVPROXY_LIMITS__{name}": value for name, value in SMALL.items()}
    started = Api(tmp_path_factory.mktemp("api") / "data", settings)
    started.start()
    yield started
    started.kill()


def open_connection(api, me: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", api.port), 20, (me, 0))


def is_served(api, me: str = "127.97.0.9") -> bool:
    with open_connection(api, me) as client:
        client.sendall(ASK + b"Connection: close\r\n\r\n")
        return read_answer(read_all(client)).status == 200


def test_one_client_has_so_many_connections_and_others_are_served(api, me):
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(open_connection(api, me))
        with open_connection(api, me) as over:
            answer = read_answer(read_all(over))
        assert (answer.status, answer.problem["limit"]) == (429, "api_client_connections")
        assert is_served(api)
    wait_until(lambda: is_served(api, me), "there is room again")


def test_all_clients_together_have_so_many_connections(api):
    with ExitStack() as stack:
        for number in range(30):
            stack.enter_context(open_connection(api, f"127.97.1.{number // 10 + 1}"))
        with open_connection(api, "127.97.2.1") as over:
            answer = read_answer(read_all(over))
        assert (answer.status, answer.problem["limit"]) == (503, "api_connections")
    wait_until(lambda: is_served(api), "there is room again")


def test_a_slow_head_ends(api, me):
    with open_connection(api, me) as slow, open_connection(api, me) as silent:
        slow.sendall(ASK + b"X-Slow: ")
        assert is_served(api)
        assert read_answer(read_all(slow)).problem["limit"] == "api_head_seconds"
        assert read_all(silent) == b""


def test_a_slow_second_head_ends_too(api, me):
    with open_connection(api, me) as client:
        client.sendall(ASK + b"\r\n")
        assert b"200 OK" in client.recv(65536)
        client.sendall(b"GET /api/v1/hea")
        assert b" 408 " in read_all(client)


def test_a_slow_body_ends(api, me):
    with open_connection(api, me) as client:
        client.sendall(
            b"POST /api/v1/session HTTP/1.1\r\nHost: api\r\nContent-Length: 100\r\n\r\n{"
        )
        read_all(client)  # returns, since the API closes it
    assert is_served(api)


def test_a_head_without_end_is_refused(api, me):
    with open_connection(api, me) as client:
        client.sendall(ASK + b"X-Long: " + b"a" * 8000)
        assert read_answer(read_all(client)).problem["limit"] == "api_head_bytes"


def test_a_whole_head_with_hundreds_of_fields_is_refused(api, me):
    with open_connection(api, me) as client:
        client.sendall(ASK + FIELDS + b"\r\n")
        assert read_answer(read_all(client)).problem["limit"] == "api_head_lines"


def test_limits_that_were_reached_are_metrics(api, me):
    with open_connection(api, me) as slow:
        slow.sendall(ASK)
        read_all(slow)
    fields = {"authorization": f"Bearer {api.token(Role.ADMIN)}"}
    text = httpx.get(f"{api.url}/metrics", headers=fields, trust_env=False).text
    line = next(row for row in text.splitlines() if 'limit="api_head_seconds"' in row)
    assert float(line.rpartition(" ")[2]) >= 1
