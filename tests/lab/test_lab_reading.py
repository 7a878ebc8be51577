"""What mitmproxy alone would refuse to read, or never finish, and a worker may well need."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from tests.lab.clients import ask, connect, curl, get, open_socket, read_until
from tests.lab.test_lab_disguises import tls_to
from tests.lab.world import NEUTRAL

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

SHARP_S, FINAL_SIGMA = "xn--strae-oqa.example", "xn--nxasmm1c.example"
"""straße.example and βόλος.example, as browsers write them (UTS 46); IDNA 2003 cannot."""

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LINK = b"Link: </style.css>; rel=preload\r\n\r\n"

ANSWERS = {
    "103 Early Hints": b"HTTP/1.1 103 Early Hints\r\n" + LINK + HELLO,
    "102 Processing": b"HTTP/1.1 102 Processing\r\n\r\n" + HELLO,
    "several, one without a reason": b"HTTP/1.1 102 \r\n\r\nHTTP/1.1 103\r\n" + LINK + HELLO,
    "trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    b"5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n",
}


def served(raw: bytes, *, at_once: bool, until: bytes = b"\r\n\r\n") -> int:
    """The port of an origin that gives this answer, whole or byte by byte, to one request."""
    listener = socket.create_server((NEUTRAL, 0))

    def serve() -> None:
        with suppress(OSError), listener:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                read_until(connection, until)
                for part in [raw] if at_once else [raw[i : i + 1] for i in range(len(raw))]:
                    connection.sendall(part)
                connection.recv(1)  # it is the reader who has to know where the answer ends

    threading.Thread(target=serve, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("name", [SHARP_S, FINAL_SIGMA])
def test_a_name_that_only_the_newer_idna_knows_passes(proxy, origins, name):
    client, answer = connect(proxy, f"{name}:{origins.neutral.port}")
    assert answer.status == 200
    with tls_to(client, name, proxy.authority) as secure:
        assert ask(secure, get(name)).status == 200
    assert curl(proxy, f"http://{name}:{origins.neutral.port}/").status == 200


@pytest.mark.parametrize("name", ["a..example", "100%.example"])
def test_a_name_that_nobody_can_read_is_stopped_and_on_record(proxy, name):
    """Before any verdict, mitmproxy would answer 400, and nobody would learn of it."""
    before = len(proxy.events())
    client, answer = connect(proxy, f"{name}:443")
    client.close()
    assert answer.status == 451
    assert [event["outcome"] for event in proxy.events()[before:]] == ["connect_refused"]


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("raw", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_arrives_whole_whatever_surrounds_it(proxy, raw, at_once):
    answer = curl(proxy, f"http://neutral.example:{served(raw, at_once=at_once)}/", "-m", "20")
    assert (answer.status, answer.body) == (200, b"hello")


def test_a_request_with_trailers_arrives_whole(proxy):
    target = f"neutral.example:{served(HELLO, at_once=True, until=b'0\r\n\r\n')}".encode()
    client = open_socket(proxy)
    client.sendall(
        b"POST http://%b/up HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n" % (target, target)
    )
    assert read_until(client, b"hello").endswith(b"hello")
    client.close()
