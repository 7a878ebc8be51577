"""Ways round that a plain HTTP message would open, taken out of it before it is passed on.

They are hop-by-hop fields (RFC 9110 §7.6.1), which a proxy may leave out, and Alt-Svc (RFC 7838),
which would lead to another host, port or protocol (HTTP/3) that nobody has judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mitmproxy.http import Headers, Request, Response

_OF_THIS_HOP: Final = ("proxy-authorization", "proxy-connection", "http2-settings", "keep-alive")
_KEPT_OPTIONS: Final = ("close", "keep-alive")


def take_out_of_request(request: Request) -> None:
    """Leave out what is for us, and every upgrade but WebSocket's.

    After `Upgrade: h2c` (RFC 7540 §3.2) requests for other hosts would follow that nobody reads. A
    Connection field that names others, such as Host, would have the next proxy take those out.
    """
    headers = request.headers
    for name in _OF_THIS_HOP:
        headers.pop(name, None)
    websocket = _options(headers, "upgrade") == ["websocket"]
    if not websocket:
        headers.pop("upgrade", None)
    kept = [option for option in _options(headers, "connection") if option in _KEPT_OPTIONS]
    if websocket:
        kept.append("upgrade")
    if "connection" in headers:
        headers["connection"] = ", ".join(kept)
        if not kept:
            del headers["connection"]


def take_out_of_response(response: Response) -> None:
    """Leave out where else the service could be reached."""
    response.headers.pop("alt-svc", None)


def _options(headers: Headers, name: str) -> list[str]:
    """The options of a field that lists some, in lower case."""
    text = ",".join(headers.get_all(name)).lower()
    return [option.strip() for option in text.split(",") if option.strip()]
