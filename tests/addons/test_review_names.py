"""Names that a request hides from a hurried reader are judged like all others."""

from __future__ import annotations

import socket

import pytest

from tests.lab.clients import connect, open_socket, read_all, read_answer, read_until

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


def ask_plainly(client, *lines: str):
    client.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return read_answer(read_all(client))


def test_a_host_field_counts_whatever_version_the_request_claims(proxy, origins):
    """mitmproxy reads only the authority of a request that says HTTP/2.0, and sends both on."""
    target = f"http://neutral.example:{origins.neutral.port}/"
    answer = ask_plainly(open_socket(proxy), f"GET {target} HTTP/2.0", "Host: zoom.us")
    assert answer.status in {400, 403, 451, 505}
    assert not [call for call in origins.neutral.calls if call.requests]


def test_the_authority_of_a_request_inside_a_tunnel_counts(proxy, origins):
    """RFC 9112 §3.2.2: a server takes the absolute target, and ignores the Host field."""
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    answer = ask_plainly(client, "GET http://zoom.us/j/1 HTTP/1.1", "Host: neutral.example")
    assert answer.status in {400, 403, 451}
    assert not [call for call in origins.neutral.calls if call.requests]


def test_a_request_after_a_failed_connect_goes_where_it_says(proxy, origins):
    """The verdict on a CONNECT ends with it."""
    client = open_socket(proxy)
    client.sendall(b"CONNECT 127.20.0.99:1 HTTP/1.1\r\nHost: 127.20.0.99:1\r\n\r\n")
    head = read_until(client, b"\r\n\r\n").lower()
    client.recv(int(head.partition(b"content-length: ")[2].split()[0]), socket.MSG_WAITALL)
    port = origins.neutral.port
    answer = ask_plainly(
        client, f"GET http://neutral.example:{port}/x HTTP/1.1", f"Host: neutral.example:{port}"
    )
    assert answer.status == 200
    assert origins.neutral.hits == 1
