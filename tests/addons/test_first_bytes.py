"""The first bytes of a connection tell what is spoken, and for which name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sovproxy_addons.first_bytes import MAX_CLIENT_HELLO, First, Speech, read

from tests.lab.test_lab_tunnels import client_hello, with_grease

SPEECHES = {
    "nothing yet": (b"", Speech.UNFINISHED),
    "one byte of TLS": (b"\x16", Speech.UNFINISHED),
    "two bytes of TLS": (b"\x16\x03", Speech.UNFINISHED),
    "a record that is not a handshake": (b"\x17\x03\x03\x00\x01a", Speech.OTHER),
    "a handshake of SSL 2": (b"\x80\x2e\x01\x03\x01", Speech.OTHER),
    "a record that holds no ClientHello": (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Speech.BAD_TLS),
    "GET": (b"GET / HTTP/1.1\r\n", Speech.HTTP),
    "a method of one's own": (b"PROPFIND / HTTP/1.1\r\n", Speech.HTTP),
    "half a method": (b"GE", Speech.UNFINISHED),
    "HTTP/2 without TLS": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Speech.VEILED),
    "half of HTTP/2's start": (b"PRI * HTTP/2", Speech.UNFINISHED),
    "another PRI": (b"PRI /x HTTP/1.1\r\n", Speech.HTTP),
    "SOCKS 5": (b"\x05\x01\x00", Speech.VEILED),
    "SOCKS 5 with two ways to sign in": (b"\x05\x02\x00\x02", Speech.VEILED),
    "five and more than a greeting": (b"\x05\x01\x00\x17", Speech.OTHER),
    "five and a word": (b"\x05before", Speech.OTHER),
    "SOCKS 4": (b"\x04\x01\x01\xbb\x7f\x1e\x00\x0ame\x00", Speech.VEILED),
    "SOCKS 4a": (b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00zoom.us\x00", Speech.VEILED),
    "PROXY protocol, version 2": (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", Speech.VEILED),
    "half of PROXY's start": (b"\r\n\r\n\x00\r\n", Speech.UNFINISHED),
    "PROXY protocol, version 1": (b"PROXY TCP4 127.0.0.1 127.0.0.2 1 2\r\n", Speech.HTTP),
    "STUN": (b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), Speech.OTHER),
    "SSH": (b"SSH-2.0-OpenSSH_9\r\n", Speech.OTHER),
    "a word that never ends": (b"A" * 40, Speech.OTHER),
    "zeros": (b"\x00\x00\x00", Speech.OTHER),
    "a blank first": (b" GET / HTTP/1.1", Speech.OTHER),
}


@pytest.mark.parametrize(("data", "speech"), SPEECHES.values(), ids=SPEECHES.keys())
def test_the_protocol_is_told_from_the_first_bytes(data, speech):
    assert read(data).speech is speech


@pytest.mark.parametrize("prepare", [bytes, with_grease], ids=["plain", "grease"])
def test_the_name_is_read_from_a_whole_client_hello_and_from_no_part_of_it(prepare):
    hello = prepare(client_hello("zoom.us")[0])
    assert read(hello) == First(Speech.TLS, "zoom.us")
    assert read(hello + b"more") == First(Speech.TLS, "zoom.us")
    for end in range(len(hello)):
        assert read(hello[:end]).speech is Speech.UNFINISHED, end


def test_a_client_hello_in_several_records_is_put_together():
    message = client_hello("zoom.us")[0][5:]
    records = b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2) + part
        for part in (message[start : start + 7] for start in range(0, len(message), 7))
    )
    assert read(records) == First(Speech.TLS, "zoom.us")


def test_a_client_hello_that_never_ends_is_not_waited_for():
    part = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + b"a" * 16380
    data = part + (b"\x16\x03\x01\x40\x00" + b"a" * 16384) * 5
    assert len(data) > MAX_CLIENT_HELLO
    assert read(data).speech is Speech.BAD_TLS


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(data):
    read(data)


@given(st.binary(max_size=300))
def test_no_client_hello_makes_it_raise(data):
    read(b"\x16\x03\x01" + len(data).to_bytes(2) + data)
