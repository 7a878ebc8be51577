"""The first bytes of a connection: `addons/first_bytes.py`, beside what OpenSSL makes of them."""

from __future__ import annotations

import ssl
from contextlib import suppress

from sovproxy_addons.first_bytes import First, Speech, read

from .target import Target, require

_STEP = 7
_RECORD = b"\x16\x03\x01"


def client_hello(host: str) -> bytes:
    """A ClientHello by OpenSSL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host or None)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class _Origin:
    """A server by OpenSSL that notes for which name it is asked."""

    def __init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = self._note
        self._name: str | None = None

    def _note(self, _: object, name: str | None, __: object) -> int:
        self._name = name or ""
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def name(self, data: bytes) -> str | None:
        """The server name; empty if the client names none, None if this is no ClientHello."""
        self._name = None
        incoming = ssl.MemoryBIO()
        incoming.write(data)
        tls = self._context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
        with suppress(ssl.SSLError, UnicodeError):
            tls.do_handshake()
        return self._name


_origin = _Origin()


def check(data: bytes) -> None:
    """Nothing raises, packets do not matter, and no origin reads another name than we do."""
    whole = read(data)
    _check_split(data, whole)
    if whole.speech is Speech.TLS:
        _check_records(data, whole)
    name = _origin.name(data)
    if name:
        same = whole.speech is Speech.TLS and whole.name.lower() == name.lower()
        require(same or whole.speech is Speech.BAD_TLS, "an origin reads our name", whole, name)


def _check_split(data: bytes, whole: First) -> None:
    """What the first bytes let pass, later bytes do not change.

    A SOCKS greeting is refused at once, though with more of the bytes it might be something else.
    """
    for end in {1, 2, 3, 5, 6, 11, len(data) // 2, len(data) - 1}:
        part = read(data[: max(end, 0)])
        careful = part.speech is Speech.VEILED and whole.speech is Speech.OTHER
        fits = careful or part in {whole, First(Speech.UNFINISHED)}
        require(fits, "a part decides alike", end, part, whole)


def _check_records(data: bytes, whole: First) -> None:
    """The handshake message in smaller records is the same message."""
    size = int.from_bytes(data[3:5])
    message = data[5 : 5 + size]
    if read(data[: 5 + size]) != whole:
        return  # it went on in a second record
    parts = [message[start : start + _STEP] for start in range(0, size, _STEP)]
    cut = b"".join(_RECORD + len(part).to_bytes(2) + part for part in parts)
    require(read(cut) == whole, "records do not matter", whole)


def check_message(data: bytes) -> None:
    """The same for a message that stands in one record of the right length."""
    head = b"\x01" + len(data).to_bytes(3)
    check(_RECORD + (len(data) + 4).to_bytes(2) + head + data)


_HELLOS = tuple(client_hello(host) for host in ("zoom.us", "", "a.very.long.name.example", "x"))
_OTHERS = (
    b"GET / HTTP/1.1\r\nHost: zoom.us\r\n\r\n",
    b"CONNECT zoom.us:443 HTTP/1.1\r\n",
    b"SSH-2.0-x\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x80\x2e\x01\x03\x01",
    b"\x17\x03\x03\x00\x01a",
)
_WORDS = (
    b"\x16\x03\x01",
    b"\x16\x03\x03",
    b"\x00\x00",
    b"zoom.us",
    b"GET ",
    b"\xfe\x0d",
    b"\x00\x2b",
)
TARGETS = (
    Target("first-bytes", check, (*_HELLOS, *_OTHERS), 100, _WORDS),
    Target("client-hello", check_message, tuple(one[9:] for one in _HELLOS), 140, _WORDS),
)
