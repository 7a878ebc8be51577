"""Ways round by TLS: names that are hidden, split, doubled or written in strange letters."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.clients import ask, connect, get, open_socket, read_all, read_until
from tests.lab.hellos import (
    ALPN,
    EARLY_DATA,
    GREASE,
    PADDING,
    SERVER_NAME,
    encrypted,
    hello,
    server_names,
)
from tests.lab.proxies import wait_until
from tests.lab.test_lab_disguises import tls_to
from tests.lab.world import ZOOM

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

CHANGES = {
    "as it is": lambda it: it,
    "padded": lambda it: it.having((PADDING, bytes(4000))),
    "padded beyond one record": lambda it: it.having((PADDING, bytes(20_000))),
    "GREASE": lambda it: it.having((GREASE, b"\x00"), (0xFAFA, b"")),
    "the name at the end": lambda it: (
        it.without(SERVER_NAME).having(it.extensions[0])
        if it.extensions[0][0] == SERVER_NAME
        else it
    ),
    "ECH with the blocked name outside": lambda it: it.having(encrypted()),
    "0-RTT": lambda it: it.having((EARLY_DATA, b"")),
    "ALPN of a protocol nobody knows": lambda it: it.without(ALPN).having(
        (ALPN, b"\x00\x04\x03xyz")
    ),
}

CUTS = {
    "in one record": lambda it: [it.records()],
    "in records of one byte": lambda it: [it.records(1)],
    "in records of 17 bytes, two packets": lambda it: _halves(it.records(17)),
}


def _halves(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2], data[len(data) // 2 :]]


def tunnel(proxy, origin, me="127.0.0.1"):
    client, answer = connect(proxy, f"neutral.example:{origin.port}", me=me)
    assert answer.status == 200
    return client


def is_untouched(origin) -> bool:
    return not any(call.first_bytes or call.requests for call in origin.calls)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_blocked_name_is_found_in_every_client_hello(proxy, origins, change, cut, me):
    client = tunnel(proxy, origins.neutral, me)
    for part in cut(change(hello("zoom.us"))):
        client.sendall(part)
    assert client.recv(5)[:1] in {b"", b"\x15", b"\x16"}
    client.close()
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["service"]) == ("zoom.us", "zoom")
    assert is_untouched(origins.neutral)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_allowed_name_in_the_same_client_hello_passes_as_it_is(proxy, origins, change, cut):
    """So that what stops the blocked one is the name, and not the form."""
    client = tunnel(proxy, origins.neutral)
    sent = b"".join(cut(change(hello("neutral.example"))))
    client.sendall(sent)
    call = origins.neutral.wait_for_call()
    wait_until(lambda: call.first_bytes, "the hello")
    assert sent.startswith(call.first_bytes)
    client.close()


NAMES = {
    "NUL at the end": (b"zoom.us\x00",),
    "NUL inside": (b"zoom.us\x00.neutral.example",),
    "letters beyond ASCII": ("ｚｏｏｍ.us".encode(),),
    "bytes that are no text": (b"zoom\xff.us",),
    "a blank": (b"zoom.us ",),
    "a path": (b"neutral.example/zoom.us",),
    "a port": (b"zoom.us:443",),
    "a user": (b"me@zoom.us",),
    "two names": (b"neutral.example", b"zoom.us"),
    "two names, the other way": (b"zoom.us", b"neutral.example"),
    "no name in the extension": (),
    "an empty name": (b"",),
    "two dots": (b"zoom..us",),
    "254 characters": (b"a." * 125 + b"zoom",),
    "a label of 64 characters": (b"a" * 64 + b".zoom.us",),
    "capitals and a dot": (b"ZooM.uS.",),
    "percent signs": (b"%7aoom.us",),
    "an underscore before it": (b"_sip._tcp.zoom.us",),
    "an address of Zoom": (ZOOM.encode(),),
    "an address of Zoom in one number": (b"2132672522",),
    "an address of Zoom, mapped": (b"::ffff:127.30.0.10",),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_a_strange_server_name_does_not_pass(proxy, origins, names, me):
    client = tunnel(proxy, origins.neutral, me)
    client.sendall(hello("x.example").naming(*names).records())
    assert client.recv(5)[:1] in {b"", b"\x15", b"\x16"}
    client.close()
    assert [event["action"] for event in proxy.wait_for_events(me)] == ["block"]
    assert is_untouched(origins.neutral)


def test_two_server_name_extensions_do_not_pass(proxy, origins, me):
    both = hello("neutral.example").having((SERVER_NAME, server_names(b"zoom.us")))
    client = tunnel(proxy, origins.neutral, me)
    client.sendall(both.records())
    assert read_all(client) == b""
    (event,) = proxy.wait_for_events(me)
    assert (event["rule"], event["outcome"]) == ("unreadable-destination", "closed")
    assert is_untouched(origins.neutral)


def test_a_server_name_of_another_kind_does_not_pass(proxy, origins, me):
    client = tunnel(proxy, origins.neutral, me)
    client.sendall(hello("x.example").naming(b"zoom.us", kind=1).records())
    assert read_all(client) == b""
    assert is_untouched(origins.neutral)
    assert proxy.wait_for_events(me)[0]["outcome"] == "closed"


def test_early_data_does_not_arrive_before_the_verdict(proxy, origins):
    """0-RTT sends a request along with the ClientHello (RFC 8446 §2.3)."""
    client = tunnel(proxy, origins.neutral)
    early = b"\x17\x03\x03\x00\x20" + bytes(32)
    client.sendall(hello("zoom.us").having((EARLY_DATA, b"")).records() + early)
    client.recv(5)
    client.close()
    assert is_untouched(origins.neutral)


@pytest.mark.parametrize("name", ["zoom.us", "neutral.example"])
def test_a_client_hello_in_the_packet_of_the_connect_is_read_like_any_other(proxy, origins, name):
    """It is there before there is a tunnel, and before anybody has asked for it."""
    target = f"neutral.example:{origins.neutral.port}"
    sent = hello(name).records()
    client = open_socket(proxy)
    client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode() + sent)
    assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert client.recv(5)[:1] == b"\x16"
    client.close()
    firsts = [call.first_bytes for call in origins.neutral.calls if call.first_bytes]
    assert firsts == ([] if name == "zoom.us" else [sent])


def test_ech_with_an_innocent_name_outside_does_not_open_a_blocked_host(proxy, origins, me):
    """The host of the CONNECT and the address are judged, whatever the TLS inside says."""
    for target in ("zoom.us", ZOOM, "front.example"):
        client, answer = connect(proxy, f"{target}:{origins.zoom.port}", me=me)
        if answer.status == 200:
            client.sendall(hello("cloudflare-ech.example").having(encrypted()).records())
            client.recv(5)
        client.close()
    assert len(proxy.wait_for_events(me, 3)) == 3
    assert origins.zoom.hits == 0


def test_ech_at_an_innocent_host_is_judged_by_the_outer_name_only(proxy, origins):
    """What cannot be closed: the inner name is for the origin alone. See docs/evasions.md."""
    client = tunnel(proxy, origins.neutral)
    sent = hello("neutral.example").having(encrypted()).records()
    client.sendall(sent)
    call = origins.neutral.wait_for_call()
    wait_until(lambda: call.first_bytes, "the hello")
    assert call.first_bytes == sent
    client.close()


def test_fronting_is_judged_by_the_names_that_can_be_seen(proxy, origins, authority):
    """What cannot be closed: a Host inside TLS that is not ours. See docs/evasions.md."""
    client = tunnel(proxy, origins.neutral)
    with tls_to(client, "neutral.example", authority.certificate) as secure:
        answer = ask(secure, get("zoom.us"))
    assert answer.text.endswith("<h1>Neutral /</h1>")
    assert origins.zoom.hits == 0


def test_no_server_name_is_judged_by_the_host_of_the_connect(proxy, origins):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    with tls_to(client, "") as secure:
        assert ask(secure, get("zoom.us")).is_prompt
    assert origins.zoom.hits == 0


def test_the_certificate_of_a_prompt_names_one_host_only(proxy, origins):
    """A browser reuses an HTTP/2 connection for every name of its certificate (RFC 9113 §9.1.1)."""
    from cryptography import x509  # noqa: PLC0415

    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    with tls_to(client, "zoom.us") as secure:
        found = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["zoom.us"]


@pytest.mark.parametrize(
    "first",
    [
        b"\x80\x2e\x01\x00\x02" + bytes(41),
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\x03\x01\x00\x02\x01\x00" + b"\x17\x03\x01\x00\x02\x00\x00",
    ],
    ids=["SSL 2", "no ClientHello", "data within a ClientHello"],
)
def test_what_is_no_client_hello_does_not_reach_a_blocked_host(proxy, origins, first):
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    client.sendall(first)
    assert read_all(client) == b""
    assert origins.zoom.hits == 0


def test_renegotiation_is_not_offered_by_the_node(proxy, origins):
    """A second handshake inside the first could name another host."""
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    with tls_to(client, "zoom.us") as secure:
        assert secure.version() == "TLSv1.3"  # which has none (RFC 8446 §4.1.2)
    client, _ = connect(proxy, f"zoom.us:{origins.zoom.port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(client, server_hostname="zoom.us") as secure:
        assert ask(secure, get("visio.numerique.gouv.fr")).is_prompt
    assert origins.zoom.hits == 0
