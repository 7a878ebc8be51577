"""Ways round by HTTP: requests that two readers understand differently, and proxies behind us."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest

from tests.lab.clients import ask, connect, get, open_socket, read_all, read_answer, read_until
from tests.lab.conftest import GREETING
from tests.lab.origins import Origin
from tests.lab.test_lab_disguises import tls_to
from tests.lab.test_lab_tunnels import UPGRADE
from tests.lab.world import NEUTRAL, ZOOM

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

INNER = b"GET /inner HTTP/1.1\r\nHost: zoom.us\r\n\r\n"
"""What a smuggler wants the origin to take for a request of its own."""

CHUNKED_INNER = b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)

SMUGGLED = {
    "CL.TE": (b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + INNER),
    "TE.CL": (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", CHUNKED_INNER),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: %d\r\n", INNER),
    "a list of lengths": (b"Content-Length: 0, %d\r\n", INNER),
    "a signed length": (b"Content-Length: +0\r\n", INNER),
    "a hexadecimal length": (b"Content-Length: 0x0\r\n", INNER),
    "a length with a blank": (b"Content-Length: 0 0\r\n", INNER),
    "an encoding nobody knows": (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + INNER),
    "identity after chunked": (b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + INNER),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + INNER),
    "two encodings": (
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        b"0\r\n\r\n" + INNER,
    ),
    "a blank before the colon": (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + INNER),
    "a folded encoding": (b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + INNER),
    "a vertical tab": (b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + INNER),
    "letters beyond ASCII": (b"Transfer-Encoding: \xe2\x84\xaahunked\r\n", b"0\r\n\r\n" + INNER),
    "a chunk's size with a sign": (b"Transfer-Encoding: chunked\r\n", b"+0\r\n\r\n" + INNER),
    "a chunk's size with 0x": (b"Transfer-Encoding: chunked\r\n", b"0x0\r\n\r\n" + INNER),
    "a chunk that is longer than it says": (b"Transfer-Encoding: chunked\r\n", b"1\r\nabcdef\r\n"),
}


def asked(origin) -> list[bytes]:
    """Every request that an origin took for one."""
    return [request for call in origin.calls for request in call.requests]


def hear(client) -> bytes:
    """Read until the other side closes, or has answered and says no more for a moment."""
    data = b""
    client.settimeout(10)
    with suppress(TimeoutError, ConnectionResetError):
        while more := client.recv(65536):
            data += more
            client.settimeout(0.4)
    client.close()
    return data


@pytest.mark.parametrize(("fields", "body"), SMUGGLED.values(), ids=SMUGGLED.keys())
def test_no_second_request_is_smuggled_in_the_body_of_a_first(proxy, origins, fields, body):
    """The origin reads Content-Length only, as the reader that a smuggler wishes for."""
    target = f"neutral.example:{origins.neutral.port}".encode()
    head = b"POST http://%b/outer HTTP/1.1\r\nHost: %b\r\n" % (target, target)
    client = open_socket(proxy)
    client.sendall(head + fields.replace(b"%d", b"%d" % len(body)) + b"\r\n" + body)
    hear(client)
    assert not any(b"/inner" in request.split(b"\r\n")[0] for request in asked(origins.neutral))
    assert not any(b"zoom.us" in request for request in asked(origins.neutral))
    assert origins.zoom.hits == 0


def test_a_request_after_a_body_is_judged_for_itself(proxy, origins):
    """What follows a body of the stated length is the next request, for us as for the origin."""
    target = f"neutral.example:{origins.neutral.port}".encode()
    first = b"GET http://%b/outer HTTP/1.1\r\nHost: %b\r\nContent-Length: 5\r\n\r\nhello"
    client = open_socket(proxy)
    client.sendall(first % (target, target) + INNER.replace(b"GET /", b"GET http://zoom.us/"))
    answers = read_all(client)
    assert b"Neutral /outer" in answers
    assert b"HTTP/1.1 451" in answers
    assert len(asked(origins.neutral)) == 1


HEADS = {
    "two Host fields": b"Host: neutral.example\r\nHost: zoom.us\r\n",
    "two Host fields, the other way": b"Host: zoom.us\r\nHost: neutral.example\r\n",
    "a folded Host": b"Host: neutral.example\r\n zoom.us\r\n",
    "a Host folded to nothing": b"Host:\r\n zoom.us\r\n",
    "a list of hosts": b"Host: neutral.example, zoom.us\r\n",
    "a carriage return alone": b"Host: neutral.example\rHost: zoom.us\r\n",
    "a line feed alone": b"Host: neutral.example\nHost: zoom.us\r\n",
    "a blank before the colon": b"Host : zoom.us\r\n",
    "a blank before the name": b"Host: neutral.example\r\n Host: zoom.us\r\n",
    "NUL in Host": b"Host: zoom.us\x00.neutral.example\r\n",
    "a user in Host": b"Host: neutral.example@zoom.us\r\n",
    "a path in Host": b"Host: zoom.us/neutral.example\r\n",
    "a Host with the port of another": b"Host: zoom.us:443\r\n",
    "a Host in percent signs": b"Host: z%6fom.us\r\n",
    "a homograph that maps to it": "Host: ｚｏｏｍ.us\r\n".encode(),
    "Connection takes Host out": b"Host: zoom.us\r\nConnection: close, Host\r\n",
}


@pytest.mark.parametrize("fields", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("way", ["absolute", "tunnel"])
def test_a_head_that_can_be_read_in_two_ways_does_not_pass(proxy, origins, fields, way):
    port = origins.neutral.port
    if way == "tunnel":
        client, _ = connect(proxy, f"neutral.example:{port}")
        client.sendall(b"GET /twisted HTTP/1.1\r\n" + fields + b"\r\n")
    else:
        client = open_socket(proxy)
        line = f"GET http://neutral.example:{port}/twisted HTTP/1.1\r\n".encode()
        client.sendall(line + fields + b"\r\n")
    assert read_answer(hear(client)).status in {400, 403, 451}
    assert asked(origins.neutral) == []


LINES = {
    "HTTP/0.9": "GET http://zoom.us:{zoom}/\r\n\r\n",
    "no version": "GET http://zoom.us:{zoom}/ \r\nHost: zoom.us\r\n\r\n",
    "HTTP/2.0 in the line": "GET http://neutral.example:{port}/ HTTP/2.0\r\nHost: zoom.us\r\n\r\n",
    "two targets": "GET http://neutral.example:{port}/ http://zoom.us/ HTTP/1.1\r\n\r\n",
    "a backslash": "GET http://neutral.example:{port}\\@zoom.us/ HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "a user that looks like a host": (
        "GET http://neutral.example:{port}@zoom.us:{zoom}/ HTTP/1.1\r\nHost: zoom.us\r\n\r\n"
    ),
    "no Host at all": "GET / HTTP/1.1\r\n\r\n",
    "an asterisk": "OPTIONS * HTTP/1.1\r\nHost: zoom.us:{zoom}\r\n\r\n",
    "origin form": "GET / HTTP/1.1\r\nHost: zoom.us:{zoom}\r\n\r\n",
    "another scheme": "GET ftp://zoom.us:{zoom}/ HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "CONNECT with a path": "CONNECT zoom.us:{zoom}/ HTTP/1.1\r\nHost: neutral.example\r\n\r\n",
    "CONNECT with a scheme": "CONNECT http://zoom.us:{zoom} HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "CONNECT in small letters": "connect zoom.us:{zoom} HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "CONNECT with a user": "CONNECT me@zoom.us:{zoom} HTTP/1.1\r\nHost: neutral.example\r\n\r\n",
    "a port that is none": "CONNECT zoom.us:99999 HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "HTTP/2 without TLS": "PRI * HTTP/2.0\r\nHost: zoom.us:{zoom}\r\n\r\nSM\r\n\r\n",
    "a zone in an address": "CONNECT [::1%25lo]:{zoom} HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
}


@pytest.mark.parametrize("request_", LINES.values(), ids=LINES.keys())
def test_a_strange_first_line_leads_nowhere(proxy, origins, request_):
    client = open_socket(proxy)
    text = request_.format(zoom=origins.zoom.port, port=origins.neutral.port)
    client.sendall(text.encode())
    answer = read_answer(hear(client))
    assert b"<h1>Zoom /" not in answer.body
    assert origins.zoom.hits == 0
    assert asked(origins.neutral) == []


VEILED = {
    "SOCKS 5": b"\x05\x01\x00",
    "SOCKS 4a": b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00zoom.us\x00",
    "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "PROXY protocol, version 2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12),
    "PROXY protocol, version 1": b"PROXY TCP4 127.0.0.1 127.30.0.10 1 443\r\n\x16\x03\x01\r\n\r\n",
    "a proxy behind the host": b"CONNECT zoom.us:443 HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    "the absolute form inside": b"GET http://zoom.us/ HTTP/1.1\r\nHost: neutral.example\r\n\r\n",
}


@pytest.mark.parametrize("first", VEILED.values(), ids=VEILED.keys())
def test_a_proxy_behind_an_allowed_host_is_not_asked(proxy, origins, first, me):
    client, answer = connect(proxy, f"neutral.example:{origins.neutral.port}", me=me)
    assert answer.status == 200
    client.sendall(first)
    assert not hear(client).startswith((b"\x05", b"\x00", b"HTTP/1.1 200"))
    assert not any(call.first_bytes or call.requests for call in origins.neutral.calls)


def test_why_a_veiled_tunnel_was_closed_is_on_record(proxy, origins, me):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}", me=me)
    client.sendall(VEILED["SOCKS 5"])
    assert read_all(client) == b""
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("neutral.example", "closed")
    assert event["rule"] == "unreadable-destination"


def test_nobody_names_another_client_to_the_proxy(proxy, origins, me):
    """Neither by a PROXY line nor by a header: events tell where the connection came from."""
    client = open_socket(proxy, me)
    client.sendall(b"PROXY TCP4 127.9.9.9 127.0.0.1 1 2\r\n" + INNER)
    assert read_answer(read_all(client)).status == 400
    fields = ("X-Forwarded-For: 127.9.9.9", "Forwarded: for=127.9.9.9", "Via: 1.1 other")
    target = f"zoom.us:{origins.zoom.port}"
    request = get(target, f"http://{target}/", *fields)
    assert ask(open_socket(proxy, me), request).is_prompt
    assert len(proxy.events(me)) == 1


@pytest.mark.parametrize("upgrade", ["h2c", "TLS/1.2", "websocket, h2c", "IPsec"])
def test_an_upgrade_but_to_websocket_is_not_passed_on(proxy, origins, upgrade):
    target = f"neutral.example:{origins.neutral.port}"
    fields = (f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA")
    lines = [f"GET http://{target}/up HTTP/1.1", f"Host: {target}", *fields, "", ""]
    client = open_socket(proxy)
    client.sendall("\r\n".join(lines).encode())
    assert b"200 OK" in read_until(client, b"</h1>")
    client.close()
    (request,) = asked(origins.neutral)
    assert b"upgrade" not in request.lower()
    assert b"http2-settings" not in request.lower()


def test_fields_for_this_hop_stay_here(proxy, origins):
    target = f"neutral.example:{origins.neutral.port}"
    fields = ("Proxy-Connection: keep-alive", "Proxy-Authorization: Basic bWU6cHc=")
    lines = [f"GET http://{target}/ HTTP/1.1", f"Host: {target}", *fields, "Connection: X-Secret"]
    client = open_socket(proxy)
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    assert b"200 OK" in read_until(client, b"</h1>")
    client.close()
    (request,) = asked(origins.neutral)
    assert b"proxy-" not in request.lower()
    assert b"connection" not in request.lower()


def test_alt_svc_does_not_lead_away_from_what_was_judged(proxy, origins, monkeypatch):
    """RFC 7838: an answer could name another host and port, and HTTP/3, for the next requests."""
    plain = type(origins.neutral)._answer

    def with_alternative(origin: Origin, head: bytes) -> bytes:
        field = b'200 OK\r\nAlt-Svc: h3=":443", h2="zoom.us:443"\r\n'
        return plain(origin, head).replace(b"200 OK\r\n", field)

    monkeypatch.setattr(Origin, "_answer", with_alternative)
    target = f"neutral.example:{origins.neutral.port}"
    answer = ask(open_socket(proxy), get(target, f"http://{target}/"))
    assert answer.status == 200
    assert "alt-svc" not in answer.fields


def test_tls_to_the_proxy_itself_speaks_http_1_only(proxy):
    """HTTP/2 would carry several tunnels in one connection, each with a verdict of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with context.wrap_socket(open_socket(proxy), server_hostname="zoom.us") as secure:
        assert secure.selected_alpn_protocol() is None


@pytest.mark.parametrize("address", [ZOOM, "127.99.0.77"])
@pytest.mark.parametrize("port", [443, 5222, 80, 3478])
@pytest.mark.parametrize(
    "hello",
    [b"WA\x06\x03noise", b"ED\x00\x01\x00\x00\x04", b"\xef" + bytes(60), b"\x00\x01\x00\x00!"],
    ids=["WhatsApp", "WhatsApp's edge", "MTProto", "STUN"],
)
def test_chat_that_is_not_tls_is_stopped_by_its_address(proxy, origins, address, port, hello):
    client, answer = connect(proxy, f"{address}:{port}")
    if answer.status == 200:
        client.sendall(hello)
        assert read_all(client) == b""
    assert origins.zoom.hits == 0


def test_a_turn_server_of_an_allowed_service_is_reached(proxy, origins):
    """STUN (RFC 8489) over TCP to an address that may pass: meetings of Visio need it."""
    client, _ = connect(proxy, f"visio.numerique.gouv.fr:{origins.visio.port}")
    binding = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    client.sendall(binding)
    assert client.recv(100) == binding
    client.close()


def test_grpc_to_a_blocked_host_is_answered_in_its_own_tls(proxy, origins):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    with tls_to(client, "zoom.us") as secure:
        lines = ["POST /Meetings/Join HTTP/1.1", "Host: zoom.us", "Content-Type: application/grpc"]
        answer = ask(secure, "\r\n".join([*lines, "TE: trailers", "Content-Length: 0", "", ""]))
    assert answer.problem["status"] == 451
    assert origins.zoom.hits == 0


def test_a_websocket_to_a_blocked_host_is_not_opened(proxy, origins):
    target = f"zoom.us:{origins.zoom.port}"
    lines = [f"GET http://{target}/rtc HTTP/1.1", f"Host: {target}", *UPGRADE, "", ""]
    assert ask(open_socket(proxy), "\r\n".join(lines)).problem["status"] == 451
    assert origins.zoom.hits == 0


def test_a_websocket_in_the_tunnel_of_another_host_is_judged_by_its_host(proxy, origins):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    lines = ["GET /rtc HTTP/1.1", "Host: zoom.us", *UPGRADE, "", ""]
    assert ask(client, "\r\n".join(lines)).problem["status"] == 451
    assert asked(origins.neutral) == []


def test_tls_inside_a_tunnel_to_port_80_is_judged_by_its_name(proxy, origins):
    """CONNECT to the plain port, then TLS: the port says nothing about what is spoken."""
    client, answer = connect(proxy, f"{NEUTRAL}:{origins.neutral.port}")
    assert answer.status == 200
    with tls_to(client, "zoom.us") as secure:
        assert ask(secure, get("zoom.us")).is_prompt
    assert not any(call.first_bytes for call in origins.neutral.calls)


def test_a_server_that_speaks_first_does_not_open_a_way_for_a_blocked_host(proxy, origins):
    """The greeting makes it a tunnel unread, and so only where the address itself may pass."""
    client, _ = connect(proxy, f"neutral.example:{origins.mail.port}")
    assert client.recv(100) == GREETING
    client.close()
    client, _ = connect(proxy, f"zoom.us:{origins.mail.port}")
    client.settimeout(2)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.close()
