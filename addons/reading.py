"""Mends how mitmproxy 12 reads HTTP/1, where a worker would be cut off from what may pass.

It refuses host names that IDNA 2003 does not know, such as those with ß, before a hook is asked; it
takes an interim answer (103 Early Hints) for the answer; and it gives up at trailers. The first is
left to the gate, which judges every name that it is given; the other two are left out of what is
passed on, as RFC 9110 lets a proxy do with trailers (§6.5.1) and most do with interim answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import h11
from h11._readers import ChunkedReader
from mitmproxy.net import check as checks
from mitmproxy.net.http import url
from mitmproxy.proxy.layers.http import _http1

if TYPE_CHECKING:
    from h11._receivebuffer import ReceiveBuffer
    from mitmproxy.proxy.events import ConnectionEvent
    from mitmproxy.proxy.layer import CommandGenerator

NAME: Final = rb"[A-Za-z0-9._~%!$&'()*+,;=-]+"
"""A registered name as RFC 3986 §3.2.2 writes it; whether a host may have it, the gate says."""

INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9][0-9][ \r\n]")
"""How an answer begins that another one follows; 101 is the last that is HTTP."""

_AUTHORITY: Final = re.compile(rb"(%b)(?::([0-9]{1,5}))?" % NAME)
_NAME: Final = re.compile(NAME)
_LAST_PORT: Final = 65535

_valid_for_mitmproxy = checks.is_valid_host
_authority_of_mitmproxy = url.parse_authority
_reader_of_mitmproxy = _http1.make_body_reader
_heads_of_mitmproxy = _http1.Http1Client.read_headers


def mend() -> None:
    """Put the mended parts in the place of mitmproxy's own, for this process. May be repeated."""
    url.parse_authority = parse_authority
    checks.is_valid_host = is_valid_host
    vars(url)["is_valid_host"] = is_valid_host  # imported there, so no part of what it exports
    _http1.make_body_reader = make_body_reader
    _http1.Http1Client.read_headers = read_headers  # type: ignore[method-assign]


def parse_authority[Text: (bytes, str)](authority: Text, check: bool) -> tuple[str, int | None]:
    """Split `host:port`, the host as it stands. Raises ValueError, if `check`."""
    found = _AUTHORITY.fullmatch(_bytes(authority))
    if not found or int(found[2] or 0) > _LAST_PORT:
        return _authority_of_mitmproxy(authority, check)
    return found[1].decode("ascii"), int(found[2]) if found[2] else None


def is_valid_host[Text: (bytes, str)](host: Text) -> bool:
    """Whether it may stand where a host does, in a request or as a TLS client names it."""
    return bool(_NAME.fullmatch(_bytes(host))) or _valid_for_mitmproxy(host)


def make_body_reader(expected_size: int | None) -> _http1.TBodyReader:
    """Give what reads a body of that size; None is one in chunks."""
    return WithoutTrailers() if expected_size is None else _reader_of_mitmproxy(expected_size)


class WithoutTrailers(ChunkedReader):
    """Reads a body in chunks, and passes over the fields that follow it."""

    def __call__(self, buf: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        """Give the next event of h11, or None if there is more to wait for."""
        event = super().__call__(buf)
        return h11.EndOfMessage() if isinstance(event, h11.EndOfMessage) else event


def read_headers(self: _http1.Http1Client, event: ConnectionEvent) -> CommandGenerator[None]:
    """Read the head of an answer, and pass over those that only announce it."""
    while self.request and INTERIM.match(bytes(self.buf)) and self.buf.maybe_extract_lines():
        pass
    yield from _heads_of_mitmproxy(self, event)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
