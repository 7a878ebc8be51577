"""The layers that mitmproxy stacks for us once a connection has been judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import ClientTLSLayer, HttpLayer, ServerTLSLayer, TCPLayer
from mitmproxy.proxy.layers.http import HTTPMode

if TYPE_CHECKING:
    from mitmproxy.proxy.context import Context


class Refuse(layer.Layer):
    """Closes the connection to the client and opens none to the server."""

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class InspectedTLS(ClientTLSLayer):
    """Ends TLS with the client once there is TLS with the server, which may speak first."""

    def start_tls(self) -> layer.CommandGenerator[None]:
        """Begin with the server, also where mitmproxy would wait for a request (transparent)."""
        server = self.context.server
        if not server.tls_established and server.error is None:
            yield from self.start_server_tls()
        yield from super().start_tls()


def tunnel(context: Context) -> layer.Layer:
    """Relay bytes as they are, undecrypted and unlogged."""
    return TCPLayer(context, ignore=True)


def terminate_tls(context: Context) -> layer.Layer:
    """End TLS here, with a certificate of our own, and connect to nobody."""
    return ClientTLSLayer(context)


def inspect(context: Context, host: str) -> layer.Layer:
    """End TLS here and begin it anew towards the server, whose certificate has to be for `host`."""
    context.server.sni = host
    found = ServerTLSLayer(context)
    found.child_layer = InspectedTLS(context)
    return found


def http(context: Context) -> layer.Layer:
    """Read requests one by one, so that each can be judged or answered."""
    return HttpLayer(context, HTTPMode.transparent)
