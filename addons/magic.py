"""The magic host: who a worker is, told by the node itself to the worker's own extension.

`GET http://sovproxy.internal/worker` is answered here, never forwarded and never resolved, and it
is no event; `/passes?host=NAME` says whether the node would let the worker pass there now, so that
the extension need not guess how long a grant takes. Only a request with the header
`X-Sovproxy-Extension: 1` gets an answer: a page on the web could send it after a preflight only,
which gets no permission.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from sovproxy.decide.destination import Destination
from sovproxy.decide.normalise import read_host

from . import answers

if TYPE_CHECKING:
    from mitmproxy import http

    from sovproxy.usecases.nodes.node import Client, Node

HOST: Final = "sovproxy.internal"
PATH: Final = "/worker"
PASSES: Final = "/passes"
MAX_QUERY: Final = 600
HEADER: Final = "x-sovproxy-extension"

_FIELDS: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


def is_ours(name: str) -> bool:
    """Whether a name, in any spelling, is the magic host."""
    if HOST not in name.lower().rstrip("."):  # nearly all names: no need to read them
        return False
    read = read_host(name)
    return isinstance(read, Destination) and read.host == HOST


def is_asked(request: http.Request) -> bool:
    """Whether any name that a request gives is the magic host."""
    fields = (request.headers.get("host", ""), request.authority)
    return any(map(is_ours, (request.host, *map(answers.without_port, fields))))


def answer(node: Node, client: Client, request: http.Request) -> http.Response:
    """Tell the extension who its worker is; anybody else what this place is."""
    path, _, query = request.path.partition("?")
    if path not in {PATH, PASSES}:
        return _refuse(404, f"This host has {PATH} and {PASSES} only")
    if request.method != "GET":
        return _refuse(405, "Only GET is answered here")
    if request.headers.get(HEADER) != "1" or _is_of_a_page(request):
        return _refuse(403, "Only the companion extension is answered here")
    if path == PASSES:
        return _passes(node, client, query)
    made = node.introduce(client)
    if made is None:
        return _refuse(503, "This node has no key from the API yet")
    told = {"token": made.token, "client": made.client, "group": made.group, "api": made.api}
    body = json.dumps(told | {"until": int(made.until.timestamp())}).encode()
    return answers.make(200, body, _FIELDS)


def _passes(node: Node, client: Client, query: str) -> http.Response:
    """Tell whether a name could be reached by this client now; nothing is looked up or counted."""
    host = parse_qs(query[:MAX_QUERY]).get("host", [""])[0]
    passage = node.look(read_host(host), client)
    body = json.dumps({"passes": passage.passes}).encode()
    return answers.make(200, body, _FIELDS)


def refuse_connect() -> http.Response:
    """Answer a CONNECT: there is no TLS here, and nothing behind it."""
    return _refuse(403, f"Ask by http://{HOST}{PATH}, without CONNECT")


def _is_of_a_page(request: http.Request) -> bool:
    origin = str(request.headers.get("origin", ""))
    return origin.lower().startswith("http")


def _refuse(status: int, title: str) -> http.Response:
    refused = answers.plain_problem(status, title, HOST)
    for name, value in _FIELDS[1:]:
        refused.headers[name] = value
    return refused
