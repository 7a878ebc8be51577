"""Floods at the limits of a node: whoever floods is told so or closed, and others are served."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from sovproxy.usecases.access.tokens import Role
from tests.lab import world as places
from tests.lab.apis import Api
from tests.lab.clients import ask, connect, curl, get, open_socket, read_all, read_answer
from tests.lab.proxies import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-limits")]

SMALL = {
    "CONNECTIONS": "50",
    "CLIENT_CONNECTIONS": "20",
    "CLIENT_OPENINGS": "120",
    "HEAD_BYTES": "8192",
    "HEAD_LINES": "50",
    "HEAD_SECONDS": "2",
    "HELLO_SECONDS": "2",
    "HANDSHAKES": "5",
    "HANDSHAKE_SECONDS": "3",
    "BODY_SECONDS": "2",
    "CONNECT_SECONDS": "2",
    "IDLE_SECONDS": "4",
}
OTHER = "127.99.0.1"
"""A client that does nothing wrong."""


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    started = Api(tmp_path_factory.mktemp("api") / "data", {})
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def node(start_shared_proxy, api):
    settings = {f"SOVPROXY_LIMITS__{name}": value for name, value in SMALL.items()}
    started = start_shared_proxy(enrol=api.enrol, settings=settings | {"SOVPROXY_NODE": "small"})
    api.wait_for_node("small", current=True)  # from then on it uses the fleet's pseudonyms
    return started


@contextmanager
def many(node, number: int, me: str):
    """As many connections of one client, closed in the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_socket(node, me)) for _ in range(number)]


@contextmanager
def silence(address: str = places.NEUTRAL):
    """A server that takes connections and never says anything; its port."""
    with socket.create_server((address, 0), backlog=64) as server:
        yield server.getsockname()[1]


@contextmanager
def endless(start: bytes, address: str = places.NEUTRAL):
    """A server whose answer never ends; its port, and how many bytes it got rid of."""
    sent: list[int] = []

    def serve() -> None:
        connection, _ = server.accept()
        connection.recv(65536)
        with connection, suppress(OSError):
            connection.sendall(start)
            while len(sent) < 1000:
                connection.sendall(b"a" * 65536)
                sent.append(65536)

    with socket.create_server((address, 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], sent


def is_served(node, origins) -> bool:
    """Whether another client gets its prompt."""
    return curl(node, f"http://zoom.us:{origins.zoom.port}/", me=OTHER).is_prompt


def problem_of(client: socket.socket) -> dict:
    return read_answer(read_all(client)).problem


def counted(api, name: str) -> int:
    return (
        api.nodes()
        .get("small", {"report": {"counters": {"limits": {}}}})["report"]["counters"]["limits"]
        .get(name, 0)
    )


def test_one_client_has_so_many_connections_and_is_told_so(node, origins, me):
    with many(node, 20, me):
        over = ask_plainly(node, me)
        assert (over.status, over.problem["limit"]) == (429, "client_connections")
        assert over.fields["retry-after"].isdecimal()
        assert is_served(node, origins)
    wait_until(lambda: ask_plainly(node, me).status == 502, "there is room again")


def ask_plainly(node, me):
    with open_socket(node, me) as client:
        return ask(client, get("closed.example", "http://closed.example:1/"))


def test_all_clients_together_have_so_many_connections(node, origins, me):
    with ExitStack() as stack:
        for last in range(1, 4):
            stack.enter_context(many(node, 17, f"127.98.0.{last}"))
        over = ask_plainly(node, me)
        assert (over.status, over.problem["limit"]) == (503, "connections")
    wait_until(lambda: is_served(node, origins), "there is room again")


def test_connections_opened_too_often_are_refused_for_a_while(node, origins, me):
    answers = []
    for _ in range(150):
        with open_socket(node, me) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answers.append(read_answer(read_all(client)))
    over = [answer for answer in answers if answer.status == 429]
    assert 0 < len(over) < 150
    assert {answer.problem["limit"] for answer in over} == {"client_openings"}
    assert is_served(node, origins)


def test_slow_heads_end_and_hold_nobody_up(node, origins, me):
    with many(node, 15, me) as clients:
        for client in clients:
            client.sendall(b"GET http://zoom.us/ HTTP/1.1\r\nX-Slow: ")
        assert is_served(node, origins)
        for client in clients:
            with suppress(OSError):
                client.sendall(b"a")
        assert [problem_of(client)["limit"] for client in clients] == ["head_seconds"] * 15


def test_connections_without_a_word_are_closed(node, me):
    with many(node, 15, me) as clients:
        assert [read_all(client) for client in clients] == [b""] * 15


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 ", b""])
def test_an_answer_whose_head_never_ends_is_cut_off(node, api, me, start):
    """A malicious site could fill the node's memory by it."""
    with endless(start) as (port, sent), open_socket(node, me) as client:
        url = f"http://neutral.example:{port}/"
        assert ask(client, get(f"neutral.example:{port}", url)).status == 502
        assert len(sent) * 65536 < 8 * 1024 * 1024
    wait_until(lambda: counted(api, "answer_head_bytes") > 0, "the heartbeat tells it")


def test_an_answer_whose_body_is_large_passes(node, me):
    with endless(b"HTTP/1.1 200 OK\r\n\r\n") as (port, sent), open_socket(node, me) as client:
        client.sendall(get(f"neutral.example:{port}", f"http://neutral.example:{port}/").encode())
        taken = 0
        while taken < 20 * 1024 * 1024 and (data := client.recv(1 << 20)):
            taken += len(data)
        assert taken >= 20 * 1024 * 1024
        assert len(sent) > 200


def test_a_second_head_has_its_limits_too(node, origins, me):
    with open_socket(node, me) as client:
        target = f"http://neutral.example:{origins.neutral.port}/"
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: neutral.example\r\n\r\n".encode())
        client.recv(65536)
        client.sendall(b"GET http://neutral.example/ HTTP/1.1\r\n")
        assert b" 408 " in read_all(client)


@pytest.mark.parametrize("verb", ["GET http://zoom.us/", "CONNECT zoom.us:443"])
def test_a_head_without_end_is_refused(node, origins, me, verb):
    before = node.memory()
    with open_socket(node, me) as client:
        client.sendall(f"{verb} HTTP/1.1\r\nX-Long: ".encode())
        with pytest.raises(ConnectionError):
            client.sendall(b"a" * 65_536_000)
    assert node.memory() - before < 8 * 1024 * 1024
    assert is_served(node, origins)


@pytest.mark.parametrize("verb", ["GET http://zoom.us/", "CONNECT zoom.us:443"])
@pytest.mark.parametrize(
    ("fields", "limit"),
    [("X-{}: a\r\n", "head_lines"), ("X-{}: " + "a" * 300 + "\r\n", "head_bytes")],
    ids=["lines", "bytes"],
)
def test_a_whole_head_that_is_too_large_is_refused(node, origins, me, verb, fields, limit):
    number = 100 if limit == "head_lines" else 40
    lines = "".join(fields.format(n) for n in range(number))
    with open_socket(node, me) as client:
        client.sendall(f"{verb} HTTP/1.1\r\nHost: zoom.us\r\n{lines}\r\n".encode())
        answer = read_answer(read_all(client))
    assert (answer.status, answer.problem["limit"]) == (431, limit)
    assert node.events(me) == []


def test_a_client_that_sends_on_while_it_waits_is_not_read_any_further(node, origins, me):
    before = node.memory()
    with silence() as port, open_socket(node, me) as client:
        client.sendall(
            f"GET http://neutral.example:{port}/ HTTP/1.1\r\nHost: neutral.example\r\n\r\n".encode()
        )
        client.settimeout(1)
        with suppress(OSError):
            for _ in range(1000):
                client.sendall(b"a" * 65536)
        assert node.memory() - before < 16 * 1024 * 1024
        assert is_served(node, origins)


@pytest.mark.parametrize(
    "said", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "half a hello"]
)
def test_a_tunnel_in_which_nobody_speaks_is_closed(node, origins, me, said):
    with silence() as port:
        tunnels = [connect(node, f"neutral.example:{port}", me=me)[0] for _ in range(10)]
        for tunnel in tunnels:
            tunnel.sendall(said)
        assert is_served(node, origins)
        assert [read_all(tunnel) for tunnel in tunnels] == [b""] * 10


def test_half_a_hello_to_a_listed_service_is_closed_and_on_record(node, origins, me):
    tunnel, _ = connect(node, "zoom.us:443", me=me)
    tunnel.sendall(b"\x16\x03\x01\x02\x00\x01")
    assert read_all(tunnel) == b""
    (event,) = node.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("zoom.us", "closed")


def client_hello(name: str) -> bytes:
    """A whole ClientHello, as OpenSSL makes it."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_handshakes_that_are_never_finished_are_few_and_end(node, origins, me):
    hello = client_hello("zoom.us")
    tunnels = [connect(node, "zoom.us:443", me=me)[0] for _ in range(10)]
    started = []
    for tunnel in tunnels:
        tunnel.sendall(hello)
        tunnel.settimeout(10)
        with suppress(ConnectionResetError):
            started.append(bool(tunnel.recv(65536)))
    assert sum(started) == 5
    assert is_served(node, origins)  # by plain HTTP, in the meantime
    for tunnel in tunnels:
        read_all(tunnel)
    assert curl(node, f"https://zoom.us:{origins.zoom.port}/", me=OTHER).is_prompt


def test_a_destination_that_never_takes_the_connection_is_given_up(node, origins, me):
    with socket.socket() as full, ExitStack() as stack:
        full.bind((places.NEUTRAL, 0))
        full.listen(0)
        for _ in range(3):  # the queue is full: what comes then is never answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        time.sleep(0.2)
        client, answer = connect(node, f"neutral.example:{full.getsockname()[1]}", me=me)
        client.close()
    assert answer.status == 502
    assert is_served(node, origins)


def test_a_body_that_never_comes_is_not_waited_for(node, origins, me):
    with open_socket(node, me) as client:
        client.sendall(
            b"POST http://zoom.us/ HTTP/1.1\r\nHost: zoom.us\r\nContent-Length: 10\r\n\r\nabc"
        )
        assert b"200" not in read_all(client)
    assert origins.zoom.hits == 0
    (event,) = node.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("zoom.us", "closed")


def test_an_upload_may_be_slow_and_large(node, origins, me):
    target = f"neutral.example:{origins.neutral.port}"
    with open_socket(node, me) as client:
        head = f"POST http://{target}/ HTTP/1.1\r\nHost: {target}\r\nContent-Length: 600000"
        client.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(6):
            client.sendall(b"a" * 100_000)
            time.sleep(0.6)  # longer altogether than any time but that for silence
        assert read_answer(read_all(client)).status == 200


def test_a_silent_tunnel_ends_and_one_with_traffic_does_not(node, origins, me):
    target = f"neutral.example:{origins.neutral.port}"
    silent, busy = (connect(node, target, me=me)[0] for _ in range(2))
    for tunnel in (silent, busy):
        tunnel.sendall(b"\x05hello")
        assert tunnel.recv(100) == b"\x05hello"
    deadline = time.monotonic() + 15
    silent.settimeout(0.5)
    ended = False
    while not ended and time.monotonic() < deadline:
        busy.sendall(b"more")
        assert busy.recv(100) == b"more"
        with suppress(TimeoutError):
            ended = silent.recv(10) == b""
    assert ended


def test_limits_that_were_reached_are_metrics(node, api, me):
    with open_socket(node, me) as client:
        lines = "".join(f"X-{n}: a\r\n" for n in range(100))
        client.sendall(f"GET http://zoom.us/ HTTP/1.1\r\nHost: zoom.us\r\n{lines}\r\n".encode())
        read_all(client)
    wait_until(lambda: counted(api, "head_lines") > 0, "the heartbeat tells it")
    fields = {"authorization": f"Bearer {api.token(Role.ADMIN)}"}
    text = httpx.get(f"{api.url}/metrics", headers=fields, trust_env=False).text
    for name in ("head_lines", "handshakes", "memory_mib"):
        assert f'counter="limit_{name}",node="small"' in text
    assert me not in text
