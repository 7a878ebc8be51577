"""Clients: who they are, what they may make the node keep, and how they are heard."""

from __future__ import annotations

import base64
import re
import shutil
import time

import pytest

from tests.lab.clients import connect, open_socket, read_all, read_answer, read_until
from tests.lab.proxies import ROOT, Proxy, listens, wait_until
from tests.lab.test_lab_tunnels import client_hello
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

MEGABYTE = 1 << 20
GROUPS = "groups:\n  press: {members: [anna]}\nrules:"


def sign_in(name: str) -> str:
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{name}:x'.encode()).decode()}"


class Signed(Proxy):
    """A proxy that wants a name first: whoever asks it whether it is ready gets a 407."""

    def answers(self) -> bool:
        return listens(self.port)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    world = make_world(folder / "world")
    world.write_policy("rules:", GROUPS)
    found = Signed(folder / "data", world.settings, world=world)
    found.arguments = ("--set", "proxyauth=any")
    found.start()
    yield found
    found.stop()


def test_a_worker_who_signs_in_is_of_their_group_and_has_a_pseudonym_of_their_own(signed, me):
    """The connection is there before the name is: what was first found must not stay."""
    seen = {}
    for name in ("anna", "ben"):
        client = open_socket(signed, me)
        lines = ["GET http://zoom.us/ HTTP/1.1", "Host: zoom.us", sign_in(name), "", ""]
        client.sendall("\r\n".join(lines).encode())
        assert read_answer(read_all(client)).is_prompt
        seen[name] = signed.wait_for_events(number=len(seen) + 1)[-1]
    assert seen["anna"]["client"] != seen["ben"]["client"]
    assert (seen["anna"]["group"], seen["ben"]["group"]) == ("press", "")


def test_ssh_in_a_tunnel_is_no_http_even_when_the_client_speaks_first(proxy, origins):
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    hello = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
    client.sendall(hello)
    wait_until(lambda: origins.neutral.hits and origins.neutral.calls[0].first_bytes, "ssh arrives")
    assert (
        origins.neutral.calls[0].first_bytes == hello[: len(origins.neutral.calls[0].first_bytes)]
    )


def test_a_client_hello_with_two_server_names_is_refused(proxy, origins):
    """RFC 6066 §3 allows one; mitmproxy shows none of several, the origin may take the first."""
    hello, *_ = client_hello("zoom.us")
    entry = b"\x00\x00\x07zoom.us"
    assert hello.count(entry) == 1
    at = hello.index(entry) - 6  # type, length of the extension, length of the list
    body = hello[at + 6 :][len(entry) :]
    names = entry + b"\x00\x00\x0fneutral.example"
    extension = b"\x00\x00" + (len(names) + 2).to_bytes(2) + len(names).to_bytes(2) + names
    more = len(names) - len(entry)
    client, _ = connect(proxy, f"neutral.example:{origins.neutral.port}")
    raw = bytearray(hello[:at] + extension + body)
    raw[3:5] = (int.from_bytes(raw[3:5]) + more).to_bytes(2)
    raw[6:9] = (int.from_bytes(raw[6:9]) + more).to_bytes(3)
    lengths = 44 + raw[43]
    lengths += 2 + int.from_bytes(raw[lengths : lengths + 2])
    lengths += 1 + raw[lengths]
    raw[lengths : lengths + 2] = (int.from_bytes(raw[lengths : lengths + 2]) + more).to_bytes(2)
    client.sendall(raw)
    assert read_all(client) == b""
    assert not origins.neutral.wait_for_call().first_bytes


def test_a_body_for_a_name_that_does_not_resolve_fills_no_memory(proxy):
    before = proxy.memory()
    client = open_socket(proxy)
    client.settimeout(4)  # nothing more is read from us: that is what we want
    client.sendall(b"POST http://nowhere.invalid/ HTTP/1.1\r\nHost: nowhere.invalid\r\n")
    client.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"
    try:
        for _ in range(80):
            client.sendall(chunk)
    except OSError:
        pass  # cut off: that is what we want
    assert proxy.memory() - before < 30 * MEGABYTE


def test_what_is_said_after_an_upgrade_is_not_kept(proxy, origins):
    """mitmproxy keeps every message of an upgraded connection for its addons."""
    port = origins.neutral.port
    client = open_socket(proxy)
    lines = [f"GET http://neutral.example:{port}/ HTTP/1.1", f"Host: neutral.example:{port}"]
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]
    client.sendall("\r\n".join(lines).encode())
    assert b" 101 " in read_until(client, b"\r\n\r\n")
    before = proxy.memory()
    for _ in range(60):
        client.sendall(b"x" * MEGABYTE)
        left = MEGABYTE
        while left:
            left -= len(client.recv(min(left, 65536)))
    assert proxy.memory() - before < 30 * MEGABYTE


def test_credentials_for_the_proxy_are_not_passed_on(proxy, origins):
    port = origins.neutral.port
    client = open_socket(proxy)
    lines = [f"GET http://neutral.example:{port}/ HTTP/1.1", f"Host: neutral.example:{port}"]
    lines += [sign_in("anna"), "Connection: close", "", ""]
    client.sendall("\r\n".join(lines).encode())
    assert read_answer(read_all(client)).status == 200
    assert not re.search(rb"(?i)proxy-authorization", origins.neutral.calls[0].requests[0])


def test_a_request_to_the_proxy_itself_does_not_run_in_circles(tmp_path):
    """A proxy that listens on all addresses is a destination too; policy may allow the network."""
    world = make_world(tmp_path / "world")
    found = Proxy(tmp_path / "data", world.settings, world=world)
    found.arguments = ("--listen-host", "0.0.0.0")  # noqa: S104 - it can be reached by another of its addresses
    found.start()
    try:
        target = f"127.20.0.77:{found.port}"
        client = open_socket(found)
        client.settimeout(5)
        client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 502"
    finally:
        found.stop()


def test_a_gate_whose_file_changes_or_vanishes_stays(tmp_path, origins, monkeypatch):
    """mitmproxy reloads a script that changes, and leaves an open proxy if it is broken or gone."""
    monkeypatch.setattr("tests.lab.proxies.ADDON", tmp_path / "sovproxy_addon.py")
    world = make_world(tmp_path / "world")
    script = tmp_path / "sovproxy_addon.py"
    shutil.copy(ROOT / "addons" / "sovproxy_addon.py", script)
    found = Proxy(tmp_path / "data", world.settings, world=world)
    try:
        found.start()
        script.write_text("this is no Python\n")
        time.sleep(3)
        assert is_stopped(found, origins)
        script.unlink()
        time.sleep(3)
        assert is_stopped(found, origins)
    finally:
        found.stop()


def is_stopped(found, origins) -> bool:
    client = open_socket(found)
    target = f"zoom.us:{origins.zoom.port}"
    client.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    return read_answer(read_all(client)).is_prompt and origins.zoom.hits == 0


@pytest.mark.parametrize("field", ["Content-Length: 90000000", "Transfer-Encoding: chunked"])
def test_a_large_body_before_signing_in_ends_the_connection(signed, field, me):
    client = open_socket(signed, me)
    client.sendall(f"POST http://zoom.us/ HTTP/1.1\r\nHost: zoom.us\r\n{field}\r\n\r\n".encode())
    assert read_all(client) == b""
    assert "crashed" not in signed.log
