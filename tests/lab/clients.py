"""Clients of the lab: real curl, and sockets for what curl would not do."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.proxies import Proxy

PATIENCE = 20.0
TOKEN = re.compile(r'name="token" value="([^"]+)"')
NAVIGATION = ("-H", "Sec-Fetch-Mode: navigate", "-H", "Accept: text/html")


@dataclass
class Answer:
    """What a client got: status, header fields by lower-case name, body."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    exit_code: int = 0

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def problem(self) -> dict:
        assert self.fields["content-type"] == "application/problem+json", self.text
        return json.loads(self.body)

    @property
    def token(self) -> str:
        """The offer on a prompt that warns."""
        found = TOKEN.search(self.text)
        assert found, self.text[:2000]
        return found[1]

    @property
    def is_prompt(self) -> bool:
        return self.status in {403, 451} and b"<!doctype html>" in self.body[:20].lower()


def read_answer(raw: bytes, exit_code: int = 0) -> Answer:
    """Read the last answer of `curl -i` (or of a socket)."""
    while re.match(rb"HTTP/\S+ (1\d\d|200 [Cc]onnection [Ee]stablished)", raw):
        raw = raw.partition(b"\r\n\r\n")[2]
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = lines[0].split(" ")
    if len(status) < 2:
        return Answer(exit_code=exit_code)
    pairs = (line.partition(":") for line in lines[1:])
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(int(status[1]), fields, body, exit_code)


def curl(
    proxy: Proxy, url: str, *arguments: str, trust: Path | None = None, me: str = "127.0.0.1"
) -> Answer:
    """Ask through the proxy with the real curl, which trusts only `trust` (or the node's CA)."""
    command = ["curl", "-sS", "-i", "--max-time", str(PATIENCE), "-x", proxy.url]
    command += ["--noproxy", "", "--cacert", str(trust or proxy.authority)]
    command += ["--interface", me, *arguments, url]
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE * 2)
    return read_answer(done.stdout, done.returncode)


def open_socket(proxy: Proxy, me: str = "127.0.0.1") -> socket.socket:
    """A connection to the proxy."""
    client = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE, (me, 0))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def connect(
    proxy: Proxy, target: str, *fields: str, me: str = "127.0.0.1"
) -> tuple[socket.socket, Answer]:
    """Send a CONNECT for `target` (`host:port`); the socket and the answer to it."""
    client = open_socket(proxy, me)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *fields, "", ""]
    client.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape"))
    head = read_until(client, b"\r\n\r\n")
    status = re.match(rb"HTTP/1.1 (\d+)", head)
    return client, Answer(int(status[1]) if status else 0, body=head)


def read_until(client: socket.socket, end: bytes) -> bytes:
    """Read byte by byte up to `end`, or to the end of the connection."""
    data = b""
    while not data.endswith(end):
        more = client.recv(1)
        if not more:
            break
        data += more
    return data


def read_all(client: socket.socket) -> bytes:
    """Read until the other side closes."""
    data = b""
    with suppress(ConnectionResetError):
        while more := client.recv(65536):
            data += more
    return data


def trusting(*roots: Path, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A TLS client that trusts only these roots."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for root in roots:
        context.load_verify_locations(root)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def ask(client: socket.socket, request: str) -> Answer:
    """Send a request as it stands and read to the end of the connection."""
    client.sendall(request.encode())
    return read_answer(read_all(client))


def get(host: str, path: str = "/", *fields: str) -> str:
    """A plain navigation."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Accept: text/html", *fields]
    return "\r\n".join([*lines, "Connection: close", "", ""])
