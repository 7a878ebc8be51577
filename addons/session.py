"""What is known of one client connection, and what its flows say of where they go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mitmproxy.proxy.mode_specs import TransparentMode

from sovproxy.decide.destination import Destination

from . import answers

if TYPE_CHECKING:
    from mitmproxy import connection, http

    from sovproxy.ca.leaves import Identity
    from sovproxy.usecases.nodes.node import Client, Passage


@dataclass(slots=True)
class Session:
    """What is known of one client connection.

    `passage` is the verdict on the connection as a whole, once there is one; plain HTTP requests
    have their own. `identity` is what the client is shown where TLS ends here. `user` is the name
    that the client signed in with. `cleared` holds the addresses that may be connected to.
    `ended_here` is true when TLS ends at this node. `inspected_as` are the passages for which it is
    decrypted and goes on to a server (`inspection: full`). `uncounted` is a passage that is counted
    once it is known whether it is decrypted. `told` is true once an event says what the client got.
    `established` is true once TLS with the client, which ends here, was.
    `open` holds what is let through at this moment, and `ends` when it is closed (by the monotonic
    clock) if it may not go on.
    """

    client: Client
    passage: Passage | None = None
    identity: Identity | None = None
    user: str = ""
    cleared: set[str] = field(default_factory=set)
    ended_here: bool = False
    inspected_as: tuple[Passage, ...] = ()
    uncounted: Passage | None = None
    told: bool = False
    established: bool = False
    open: tuple[Passage, ...] = ()
    ends: float | None = None

    @property
    def inspected(self) -> bool:
        """Whether TLS goes on from here to a server."""
        return bool(self.inspected_as)

    @property
    def decrypted(self) -> bool:
        """Whether what the client says can be read here."""
        return self.ended_here or self.inspected

    @property
    def passing(self) -> tuple[Passage, ...]:
        """The verdict on the connection as a whole, if it lets pass: it holds between requests."""
        return (self.passage,) if self.passage and self.passage.passes else ()


def names(flow: http.HTTPFlow) -> tuple[str, ...]:
    """The names that a request gives beside the address that its connection goes to.

    mitmproxy sends on both Host and authority, though its `host_header` is only one of them: the
    authority when the first line says HTTP/2.0, the Host field for an absolute target in a tunnel.
    """
    address, request = flow.server_conn.address, flow.request
    fields = (request.headers.get("host", ""), request.authority)
    found = dict.fromkeys((*map(answers.without_port, fields), request.host))
    return tuple(name for name in found if name and not (address and name == address[0]))


def is_transparent(client: connection.Client) -> bool:
    """Whether the connection was redirected to us."""
    return isinstance(client.proxy_mode, TransparentMode)


def user(flow: http.HTTPFlow) -> str:
    """The name under which a client signed in at the proxy, if mitmproxy asked it to."""
    found = flow.metadata.get("proxyauth")
    return str(found[0]) if found else ""


def original(server: connection.Server) -> tuple[str, int]:
    """The address that a redirected connection was going to."""
    return (server.address[0], server.address[1]) if server.address else ("", 0)


def port_of(passage: Passage | None) -> int:
    """The port of a passage's destination, or 0."""
    destination = passage.destination if passage else None
    return destination.port if isinstance(destination, Destination) else 0
