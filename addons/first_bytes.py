"""What a client says first: TLS (and for which name), HTTP, or something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy.layers.tls import parse_client_hello

MAX_CLIENT_HELLO = 64 * 1024
"""A ClientHello that is longer than this is not waited for."""

_SERVER_NAME = 0
"""The number of the extension, RFC 6066 §1.1."""

_TLS_START = b"\x16\x03"
_SSH_START = b"SSH-"
"""RFC 4253 §4.2; the version that follows is much like a method, up to its first space."""

_HTTP_2_START = b"PRI * HTTP/2.0\r\n"
"""RFC 9113 §3.4: HTTP/2 without TLS, whose requests name hosts that we would not read."""

_PROXY_START = b"\r\n\r\n\0\r\nQUIT\n"
"""The PROXY protocol, version 2: what follows may be TLS whose name we would not read."""

_MAX_SOCKS_METHODS = 16
"""Ways to sign in that a SOCKS greeting lists (RFC 1928 §3); one with more is none."""

_SOCKS_NEXT = (b"", b"\x01", b"\x05")
"""What may follow it in one packet: nothing, a name and password (RFC 1929), a request."""

_SOCKS4_HEAD = 8
_MAX_SOCKS_USER = 255

_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,31} ")
_PART_OF_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,31}\Z")


class Speech(Enum):
    """The protocol that the first bytes belong to.

    `BAD_TLS` begins like TLS but is not. `VEILED` would name where it goes only later, behind the
    host that was judged: SOCKS, HTTP/2 without TLS, the PROXY protocol.
    """

    UNFINISHED = auto()
    TLS = auto()
    BAD_TLS = auto()
    VEILED = auto()
    HTTP = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class First:
    """The protocol, and the server name (SNI) when it is TLS and there is one."""

    speech: Speech
    name: str = ""


def read(data: bytes) -> First:
    """Read the first bytes of a connection; `UNFINISHED` asks for more."""
    if not data or (len(data) < 3 and _TLS_START.startswith(data[:2])):
        return First(Speech.UNFINISHED)
    if starts_like_tls_record(data):
        return _read_tls(data)
    if data[0] in _SOCKS:
        return First(_SOCKS[data[0]](data))
    return First(_read_plain(data))


def _read_plain(data: bytes) -> Speech:
    """Read what is neither TLS nor SOCKS."""
    if data.startswith((_HTTP_2_START, _PROXY_START)):
        return Speech.VEILED
    if _HTTP_2_START.startswith(data) or _PROXY_START.startswith(data):
        return Speech.UNFINISHED
    if data[0] in b"\r\n":
        return _read_after_blank_lines(data.lstrip(b"\r\n"))
    if _METHOD.match(data) and not data.startswith(_SSH_START):
        return Speech.HTTP
    return Speech.UNFINISHED if _PART_OF_METHOD.match(data) else Speech.OTHER


def _read_after_blank_lines(data: bytes) -> Speech:
    """Servers skip them before a request (RFC 9112 §2.2); we do not read on, and let none past."""
    speech = _read_plain(data) if data else Speech.UNFINISHED
    return Speech.VEILED if speech is Speech.HTTP else speech


def _read_socks5(data: bytes) -> Speech:
    """A greeting, in however many packets, is one; so is one that a request follows at once."""
    if len(data) > 1 and not 0 < data[1] <= _MAX_SOCKS_METHODS:
        return Speech.OTHER
    if len(data) < 2 or len(data) < 2 + data[1]:
        return Speech.UNFINISHED
    following = data[2 + data[1] :][:1]
    return Speech.VEILED if following in _SOCKS_NEXT else Speech.OTHER


def _read_socks4(data: bytes) -> Speech:
    """A request for a connection or a port: a head, and a user's name that ends with NUL."""
    if len(data) > 1 and data[1] not in {1, 2}:
        return Speech.OTHER
    user = data[_SOCKS4_HEAD : _SOCKS4_HEAD + _MAX_SOCKS_USER + 1]
    if b"\0" in user:
        return Speech.VEILED
    return Speech.UNFINISHED if len(user) <= _MAX_SOCKS_USER else Speech.OTHER


_SOCKS = {4: _read_socks4, 5: _read_socks5}
"""Readers by the first byte, the version."""


def _read_tls(data: bytes) -> First:
    try:
        hello = parse_client_hello(data)
    except ValueError:
        return First(Speech.BAD_TLS)
    if hello is None:
        return First(Speech.BAD_TLS if len(data) > MAX_CLIENT_HELLO else Speech.UNFINISHED)
    names = sum(kind == _SERVER_NAME for kind, _ in hello.extensions)
    if names > 1 or (names and not hello.sni):
        return First(Speech.BAD_TLS)  # several names, or none that is one: the origin picks which
    return First(Speech.TLS, hello.sni or "")
