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

_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,31} ")
_PART_OF_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]{0,31}\Z")


class Speech(Enum):
    """The protocol that the first bytes belong to. `BAD_TLS` begins like TLS but is not."""

    UNFINISHED = auto()
    TLS = auto()
    BAD_TLS = auto()
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
    if _METHOD.match(data) and not data.startswith(_SSH_START):
        return First(Speech.HTTP)
    return First(Speech.UNFINISHED if _PART_OF_METHOD.match(data) else Speech.OTHER)


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
