"""Origin servers on loopback that remember every connection and every byte they get.

One origin answers TLS (HTTP/1.1, HTTP/2, WebSocket), plain HTTP (WebSocket too) and anything else
(an echo, after a greeting if it has one) on the same port; the first bytes tell which.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events

if TYPE_CHECKING:
    from pathlib import Path

WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
PATIENCE = 20.0


@dataclass
class Call:
    """One connection that an origin got: its first bytes as they came, and what was asked."""

    first_bytes: bytes = b""
    server_name: str = ""
    protocol: str = ""
    requests: list[bytes] = field(default_factory=list)
    body_bytes: int = 0


class Origin:
    """A server at `address`. `calls` holds every connection, `hits` how many there were."""

    def __init__(
        self, address: str, name: str, port: int = 0, *, identity: Path, greeting: bytes = b""
    ) -> None:
        self.address, self.name, self.greeting = address, name, greeting
        self.calls: list[Call] = []
        self.identity = identity
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"origin {name}", daemon=True).start()

    @property
    def hits(self) -> int:
        return len(self.calls)

    @property
    def certificate(self) -> bytes:
        """Its own certificate (DER)."""
        return ssl.PEM_cert_to_DER_cert(
            "-----BEGIN CERTIFICATE-----"
            + self.identity.read_text().partition("-----BEGIN CERTIFICATE-----")[2]
        )

    def close(self) -> None:
        self._listener.close()

    def wait_for_call(self, number: int = 1) -> Call:
        """The `number`th connection, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while len(self.calls) < number:
            assert time.monotonic() < deadline, f"{self.name} got {self.hits} connections"
            time.sleep(0.01)
        return self.calls[number - 1]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        call = Call()
        self.calls.append(call)
        connection.settimeout(PATIENCE)
        with suppress(OSError, h2.exceptions.ProtocolError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.greeting:
                connection.sendall(self.greeting)
            call.first_bytes = _peek(connection)
            if call.first_bytes.startswith(b"\x16"):
                self._serve_tls(connection, call)
            elif call.first_bytes[:1].isalpha() and not self.greeting:
                call.protocol = "http"
                self._serve_http(connection, call)
            else:
                call.protocol = "raw"
                _echo(connection, call)

    def _serve_tls(self, connection: socket.socket, call: Call) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.identity)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = lambda _socket, name, _context: setattr(
            call, "server_name", name or ""
        )
        with context.wrap_socket(connection, server_side=True) as secure:
            call.protocol = secure.selected_alpn_protocol() or "http/1.1"
            if call.protocol == "h2":
                self._serve_h2(secure, call)
            else:
                self._serve_http(secure, call)

    def _serve_http(self, connection: socket.socket, call: Call) -> None:
        rest = b""
        while True:
            head, rest = _read_head(connection, rest)
            if not head:
                return
            call.requests.append(head)
            fields = _fields(head)
            if fields.get(b"upgrade", b"").lower() == b"websocket":
                connection.sendall(_websocket_answer(fields))
                connection.sendall(rest)
                _echo(connection, call)
                return
            rest = _read_body(connection, fields, rest, call)
            connection.sendall(self._answer(head))
            last = fields.get(b"connection", b"").lower() == b"close"
            if last or head.endswith(b"HTTP/1.0") or b" HTTP/1.0\r\n" in head:
                return

    def _answer(self, head: bytes) -> bytes:
        path = head.partition(b" ")[2].partition(b" ")[0]  # empty if it is no request at all
        body = self.page(path.decode("ascii", "replace"))
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    def page(self, path: str) -> bytes:
        """What the origin answers to a request for `path`."""
        text = f"<!doctype html><title>{self.name}</title><h1>{self.name} {path}</h1>"
        return text.encode()

    def _serve_h2(self, connection: socket.socket, call: Call) -> None:
        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http.initiate_connection()
        connection.sendall(http.data_to_send())
        while data := connection.recv(65536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers)[b":path"]
                    call.requests.append(path)
                    http.send_headers(event.stream_id, [(":status", "200")])
                    http.send_data(event.stream_id, self.page(path.decode()), end_stream=True)
            connection.sendall(http.data_to_send())


def _peek(connection: socket.socket) -> bytes:
    """The first bytes, left in place: a whole TLS record, or what came first."""
    data = connection.recv(65536, socket.MSG_PEEK)
    while data.startswith(b"\x16") and len(data) < 5 + int.from_bytes(data[3:5]):
        time.sleep(0.005)
        more = connection.recv(65536, socket.MSG_PEEK)
        if not more:
            break
        data = more
    return data


def _read_head(connection: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in rest:
        data = connection.recv(65536)
        if not data:
            return b"", b""
        rest += data
    head, _, rest = rest.partition(b"\r\n\r\n")
    return head, rest


def _fields(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _read_body(
    connection: socket.socket, fields: dict[bytes, bytes], rest: bytes, call: Call
) -> bytes:
    left = int(fields.get(b"content-length", b"0"))
    call.body_bytes += min(left, len(rest))
    left, rest = left - min(left, len(rest)), rest[left:]
    while left:
        data = connection.recv(min(left, 65536))
        if not data:
            return b""
        call.body_bytes += len(data)
        left -= len(data)
    return rest


def _websocket_answer(fields: dict[bytes, bytes]) -> bytes:
    digest = hashlib.sha1(fields[b"sec-websocket-key"] + WEBSOCKET_KEY).digest()  # noqa: S324 - RFC 6455
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)
    )


def _echo(connection: socket.socket, call: Call) -> None:
    while data := connection.recv(65536):
        call.body_bytes += len(data)
        connection.sendall(data)
