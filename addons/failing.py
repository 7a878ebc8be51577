"""What becomes of a connection when a hook fails: closed at once, opened again only for `on_error`.

`close` comes first and cannot fail itself; whatever goes wrong after it, nothing is let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mitmproxy import http
from mitmproxy.proxy.layer import NextLayer

from sovproxy.events.event import Outcome

from . import answers, first_bytes, layers

if TYPE_CHECKING:
    from sovproxy.usecases.nodes.node import Client, Node, Passage


FAILED: Final = "sovproxy failed to decide"
NO_RECORD: Final = "sovproxy cannot keep its record now; the node's disk may be full"


def close(subject: object, why: str = FAILED) -> None:
    """Stop whatever the failed hook was about."""
    if isinstance(subject, http.HTTPFlow):
        host = subject.request.host
        subject.response = answers.plain_problem(503, why, host)
        subject.request.stream = False  # mitmproxy cannot stream a body that it has an answer to
    elif isinstance(subject, NextLayer):
        subject.layer = layers.Refuse(subject.context)


async def fall_back_on_request(
    node: Node, client: Client, hook: str, flow: http.HTTPFlow, *, stopped: bool
) -> Passage:
    """Judge a closed request by `on_error`, and open it again where that lets it pass.

    `stopped` is true when it had been judged, and only the answer failed.
    """
    request = flow.request
    names = (request.host, answers.without_port(request.host_header or ""))
    passage = await node.fall_back(
        hook, names, request.port, client, Outcome.PROBLEM_ANSWERED, sure_stop=stopped
    )
    if passage.passes:
        request.data.host = passage.address
        flow.response, request.stream = None, True
    elif answers.body_is_large(request) and flow.killable:
        flow.kill()
    return passage


async def fall_back_on_layer(node: Node, client: Client, hook: str, data: NextLayer) -> Passage:
    """Judge a closed connection by `on_error`, and open it again where that lets it pass."""
    address, port = data.context.server.address or ("", 0)
    name = first_bytes.read(data.data_client()).name
    passage = await node.fall_back(hook, (address, name), port, client, Outcome.CLOSED)
    if passage.passes:
        data.layer = layers.tunnel(data.context)
    return passage
