"""What may pass is tunnelled as it is: nobody on the way reads it, and it is counted only."""

from __future__ import annotations

import os
import re
import ssl
import struct
import threading
import time

import pytest

from tests.lab.clients import (
    ask,
    connect,
    curl,
    get,
    open_socket,
    read_all,
    read_until,
    trusting,
)
from tests.lab.conftest import GREETING
from tests.lab.proxies import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def client_hello(host: str) -> tuple[bytes, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A ClientHello by OpenSSL, not sent yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read(), tls, incoming, outgoing


def with_grease(hello: bytes) -> bytes:
    """The same ClientHello with a GREASE cipher and a GREASE extension (RFC 8701) in front."""
    body = hello[9:]
    session = 35 + body[34]
    ciphers = struct.unpack_from(">H", body, session)[0]
    at = session + 2 + ciphers
    compression = at + 1 + body[at]
    extensions = body[compression + 2 :]
    greased = b"".join(
        [
            body[:session],
            struct.pack(">H", ciphers + 2),
            b"\x0a\x0a",
            body[session + 2 : compression],
            struct.pack(">H", len(extensions) + 5),
            b"\x1a\x1a\x00\x01\x00",
            extensions,
        ]
    )
    message = b"\x01" + len(greased).to_bytes(3) + greased
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


def test_an_allowed_host_shows_its_own_certificate(proxy, origins, authority):
    origin = origins.visio
    client, answer = connect(proxy, f"visio.numerique.gouv.fr:{origin.port}")
    assert answer.status == 200
    context = trusting(authority.certificate)
    with context.wrap_socket(client, server_hostname="visio.numerique.gouv.fr") as secure:
        assert secure.getpeercert(binary_form=True) == origin.certificate
        page = ask(secure, get("visio.numerique.gouv.fr", "/abc-defg-hij"))
    assert page.text.endswith("<h1>Visio /abc-defg-hij</h1>")


def test_a_client_that_trusts_only_the_nodes_ca_cannot_read_an_allowed_host(proxy, origins):
    url = f"https://visio.numerique.gouv.fr:{origins.visio.port}/"
    assert curl(proxy, url).exit_code == 60  # the peer's certificate is not from our CA


def test_the_client_hello_arrives_at_the_origin_byte_by_byte_as_it_was_sent(proxy, origins):
    origin = origins.visio
    hello, *_ = client_hello("visio.numerique.gouv.fr")
    client, _ = connect(proxy, f"visio.numerique.gouv.fr:{origin.port}")
    client.sendall(hello)
    call = origin.wait_for_call()
    wait_until(lambda: call.first_bytes, "the hello")
    assert call.first_bytes == hello
    client.close()


@pytest.mark.parametrize("prepare", [bytes, with_grease], ids=["plain", "grease"])
def test_a_client_hello_in_single_bytes_is_understood_and_passed_on(proxy, origins, prepare):
    origin = origins.visio
    hello = prepare(client_hello("visio.numerique.gouv.fr")[0])
    client, _ = connect(proxy, f"visio.numerique.gouv.fr:{origin.port}")
    for byte in hello:
        client.sendall(bytes([byte]))
    call = origin.wait_for_call()
    wait_until(lambda: len(call.first_bytes) >= len(hello), "the hello")
    assert call.first_bytes == hello
    assert client.recv(5)[:1] == b"\x16"  # the origin's ServerHello
    client.close()


def test_a_client_hello_in_single_bytes_for_a_blocked_name_is_stopped(proxy, origins):
    origin = origins.neutral
    client, answer = connect(proxy, f"neutral.example:{origin.port}")
    assert answer.status == 200
    hello, tls, incoming, _ = client_hello("zoom.us")
    for byte in with_grease(hello):
        client.sendall(bytes([byte]))
    incoming.write(client.recv(65536))
    with pytest.raises(ssl.SSLError):  # its handshake is not the one that we sent
        tls.do_handshake()
    assert all(not call.first_bytes for call in origin.calls)
    client.close()


def test_an_observed_host_is_tunnelled_and_counted_without_an_event(
    start_proxy, origins, authority
):
    proxy = start_proxy()
    url = f"https://www.facebook.com:{origins.facebook.port}/ministry"
    for _ in range(3):
        assert curl(proxy, url, trust=authority.certificate).status == 200
    proxy.stop()
    assert proxy.events() == []
    (rollup,) = (item for item in proxy.rollups() if item["service"])
    assert (rollup["service"], rollup["action"], rollup["count"]) == ("facebook", "observe", 3)
    assert (rollup["rule"], rollup["location"], rollup["asn"]) == ("social", "IE", 32934)


def test_names_are_read_as_clients_spell_them(proxy, origins, authority):
    port = origins.neutral.port
    for spelling in ("NEUTRAL.Example", "neutral.example.", "XN--BCHER-KVA.example"):
        client, answer = connect(proxy, f"{spelling}:{port}")
        client.close()
        assert answer.status == 200, spelling


def test_plain_http_passes_and_the_origin_sees_the_whole_request(proxy, origins):
    body = os.urandom(200_000)
    client = open_socket(proxy)
    target = f"neutral.example:{origins.neutral.port}"
    head = f"POST http://{target}/upload HTTP/1.1\r\nHost: {target}\r\nContent-Length: {len(body)}"
    client.sendall(f"{head}\r\nConnection: close\r\n\r\n".encode() + body)
    assert b"200 OK" in read_all(client)
    assert sum(call.body_bytes for call in origins.neutral.calls) == len(body)


@pytest.mark.parametrize("secure", [True, False], ids=["wss", "ws in CONNECT"])
def test_a_websocket_to_an_allowed_host_passes_untouched(proxy, origins, authority, secure):
    host, origin = "visio.numerique.gouv.fr", origins.visio
    client, _ = connect(proxy, f"{host}:{origin.port}")
    if secure:
        client = trusting(authority.certificate).wrap_socket(client, server_hostname=host)
    client.sendall("\r\n".join([f"GET /rtc HTTP/1.1\r\nHost: {host}", *UPGRADE, "", ""]).encode())
    head = read_until(client, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455 §1.3: the key's answer
    frames = os.urandom(300_000)  # no frames at all: nobody on the way may care
    threading.Thread(target=client.sendall, args=(frames,), daemon=True).start()
    echo = b""
    while len(echo) < len(frames):
        echo += client.recv(65536)
    assert echo == frames
    client.close()


def test_a_websocket_through_the_proxy_without_connect_passes(proxy, origins):
    target = f"neutral.example:{origins.neutral.port}"
    client = open_socket(proxy)
    lines = [f"GET http://{target}/chat HTTP/1.1", f"Host: {target}", *UPGRADE, "", ""]
    client.sendall("\r\n".join(lines).encode())
    assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    client.sendall(b"\x00\xffraw\x16\x03")
    assert client.recv(100) == b"\x00\xffraw\x16\x03"
    client.close()


def test_a_server_that_speaks_first_is_heard(proxy, origins):
    client, answer = connect(proxy, f"neutral.example:{origins.mail.port}")
    assert answer.status == 200
    client.settimeout(5)
    assert client.recv(100) == GREETING
    client.sendall(b"EHLO client.example\r\n")
    assert client.recv(100) == b"EHLO client.example\r\n"
    client.close()


def test_a_protocol_of_its_own_passes_to_an_allowed_host(proxy, origins):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    client.sendall(b"\x00\x01\x02\x03 not TLS, not HTTP")
    assert client.recv(100) == b"\x00\x01\x02\x03 not TLS, not HTTP"
    client.close()


def test_of_several_addresses_only_one_that_may_pass_is_connected_to(proxy, origins, authority):
    url = f"https://two.example:{origins.neutral.port}/"
    assert curl(proxy, url, trust=authority.certificate).status == 200
    assert (origins.zoom.hits, origins.neutral.hits) == (0, 1)


def test_an_address_where_nobody_answers_is_avoided_the_next_time(proxy, origins, authority):
    url = f"https://silent.example:{origins.neutral.port}/"
    first = curl(proxy, url, trust=authority.certificate)
    second = curl(proxy, url, trust=authority.certificate)
    assert (first.exit_code, second.status) == (56, 200)


def test_telemetry_in_a_prefix_of_teams_passes_where_the_node_resolved_it(
    proxy, origins, authority
):
    url = f"https://mobile.pipe.aria.microsoft.com:{origins.telemetry.port}/"
    assert curl(proxy, url, trust=authority.certificate).status == 200


def test_a_long_download_is_passed_on_as_it_comes(proxy, origins, authority, monkeypatch):
    megabytes = 64
    monkeypatch.setattr(origins.neutral, "page", lambda _path: bytes(megabytes << 20))
    before = proxy.memory()
    target = f"neutral.example:{origins.neutral.port}"
    client = open_socket(proxy)
    client.sendall(f"GET http://{target}/big HTTP/1.0\r\nHost: {target}\r\n\r\n".encode())
    received = 0
    while data := client.recv(1 << 20):
        received += len(data)
        if received > megabytes << 20:
            break
        time.sleep(0)  # a reader that is no faster than the network
    assert received >= megabytes << 20
    assert proxy.memory() - before < (megabytes << 20) // 2


def test_nothing_that_passed_is_named_in_the_log(proxy):
    assert not re.search(r"visio|neutral|abc-defg-hij", proxy.log), proxy.log
