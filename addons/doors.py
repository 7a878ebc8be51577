"""The node's own doors: nobody reaches the proxy or the API by way of the proxy.

The API takes what comes from this machine for this machine's own, and a proxy that is asked for
itself goes on asking itself. The policy refuses loopback unless it says otherwise; this holds
whatever the policy says, and for the machine's other addresses too.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .session import is_transparent

if TYPE_CHECKING:
    from collections.abc import Collection

    from mitmproxy.connection import Client


def is_of_this_machine(address: str) -> bool:
    """Whether an IP address (canonical text) is one of this machine's, as the kernel routes it.

    Nothing is sent: connecting a UDP socket only looks up the route, whose source is the address
    itself where that is our own.
    """
    try:
        place = ip_address(address)
    except ValueError:
        return False  # a name: nothing is connected to by name
    if place.is_loopback or place.is_unspecified:
        return True
    family = socket.AF_INET6 if place.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return ip_address(str(probe.getsockname()[0]).partition("%")[0]) == place
    except OSError:
        return False  # no route leads there


def of_this_node(client: Client, api_port: int) -> frozenset[int]:
    """The ports of the API and of the proxy that `client` reached.

    Of a redirected connection it is not known: there its own port is the one that was wanted.
    """
    known = set() if is_transparent(client) else {int(client.sockname[1])}
    return frozenset({api_port} | known)


def leads_to(address: tuple[str, int], ports: Collection[int]) -> bool:
    """Whether `address` (host, port) is one of `ports` of this machine."""
    return address[1] in ports and is_of_this_machine(address[0])
