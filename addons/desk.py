"""The desk: a port of the stopped host at which only this node answers, for the forms of prompts.

A form that went to the stopped origin itself would reach the service, with the worker's reason in
it, once the worker has gone on in another tab: connections there are tunnelled by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sovproxy.decide.destination import Destination
from sovproxy.prompt.goon import DESK_PORT

if TYPE_CHECKING:
    from sovproxy.decide.destination import Unreadable

_FIELD = "back"
_DEFAULTS = {"https": 443, "http": 80}
_MAX_PORT_DIGITS = 5


def origin(destination: Destination | Unreadable, *, secure: bool) -> str:
    """The desk's origin for a prompt; empty where the prompt's own serves: at the desk itself."""
    if not isinstance(destination, Destination) or not destination.host:
        return ""
    if destination.port == DESK_PORT:
        return ""
    return f"{_scheme(secure)}://{destination.host}:{DESK_PORT}"


def form(path: str, destination: Destination | Unreadable) -> str:
    """The form's path at the desk, which tells the port that leads back."""
    port = destination.port if isinstance(destination, Destination) else 0
    return f"{path}?{_FIELD}={port}" if port else path


def way_back(destination: Destination | Unreadable, asked: str, to: str, *, secure: bool) -> str:
    """Where the local path `to` is reached: from the desk, on the port that the form told.

    `asked` is the path of the request. Any port of the very host may be told, and nothing else.
    """
    if not isinstance(destination, Destination) or destination.port != DESK_PORT:
        return to
    port, scheme = _told_port(asked), _scheme(secure)
    named = f":{port}" if port not in {0, _DEFAULTS[scheme], DESK_PORT} else ""
    return f"{scheme}://{destination.host}{named}{to}"


def wanted(destination: Destination | Unreadable, asked: str) -> Destination | Unreadable:
    """The destination for which a form came to the desk: the host, on the port that it told."""
    if isinstance(destination, Destination) and destination.port == DESK_PORT:
        return destination._replace(port=_told_port(asked))
    return destination


def _told_port(asked: str) -> int:
    """The port that a form at the desk tells, or 0."""
    told = parse_qs(asked.partition("?")[2], max_num_fields=1).get(_FIELD, [""])[0]
    known = told.isascii() and told.isdigit() and len(told) <= _MAX_PORT_DIGITS
    port = int(told) if known else 0
    return port if port < 65536 else 0


def behind(destination: Destination | Unreadable) -> Destination | Unreadable:
    """The destination that a desk stands for: the host, on no port in particular."""
    if isinstance(destination, Destination) and destination.port == DESK_PORT:
        return destination._replace(port=0)
    return destination


def _scheme(secure: bool) -> str:
    return "https" if secure else "http"
