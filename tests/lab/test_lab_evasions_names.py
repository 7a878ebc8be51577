"""Names that lead elsewhere than they seem to, by a name server that the attacker runs.

Everything happens in a network namespace where every address of the world is this machine, with a
resolv.conf of its own.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
from mitmproxy import dns

from tests.lab.clients import ask, connect, get, open_socket
from tests.lab.namespaces import Namespace, _call, open_any_address
from tests.lab.origins import Origin
from tests.lab.proxies import Proxy
from tests.lab.test_lab_disguises import tls_to
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-evasions-names")]

NEUTRAL, ZOOM, INTRANET = "203.0.113.10", "170.114.52.2", "10.9.8.7"
METADATA, MAPPED = "169.254.169.254", "::ffff:10.9.8.7"

ANSWERS = {
    "rebinding.example": (NEUTRAL, ZOOM),
    "inward.example": (INTRANET,),
    "inward-later.example": (NEUTRAL, INTRANET),
    "mapped.example": (MAPPED,),
    "nat64.example": ("64:ff9b::a09:807",),
    "loopback.example": ("127.0.0.1",),
    "loopback-6.example": ("::1",),
    "metadata.example": (METADATA,),
    "zero.example": ("0.0.0.0",),  # noqa: S104 - an answer of a name server
    "wiki.intra.example": (INTRANET,),
    "printer.internal": (INTRANET,),
    "neutral.example": (NEUTRAL,),
}
"""What the name server says: each name's first answer, its second, and so on; the last stays."""

ZONED = ("[::1%25lo]", "[fe80::1%25lo]")
"""Addresses with a zone (RFC 6874): the interface through which they are reached."""

SILENT = "silence.example"
"""A name that is never answered."""


class NameServer:
    """A name server on UDP port 53 of this namespace."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._turns = {name: list(found) for name, found in ANSWERS.items()}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, client = self._socket.recvfrom(4096)
            except OSError:
                return
            query = dns.DNSMessage.unpack(data)
            name = query.questions[0].name
            self.asked.append(name)
            if name != SILENT:
                with suppress(OSError):
                    self._socket.sendto(self._answer(query).packed, client)

    def _answer(self, query: dns.DNSMessage) -> dns.DNSMessage:
        question = query.questions[0]
        turns = self._turns.get(question.name, [])
        version = 6 if question.type == dns.types.AAAA else 4
        if not turns or ip_address(turns[0]).version != version:
            return query.succeed([])
        address = ip_address(turns.pop(0) if len(turns) > 1 else turns[0])
        make = dns.ResourceRecord.AAAA if version == 6 else dns.ResourceRecord.A
        return query.succeed([make(question.name, address, ttl=0)])

    def close(self) -> None:
        self._socket.close()


def use_our_names(resolv_conf) -> None:
    """Let this thread, and what it starts, ask our name server."""
    os.unshare(os.CLONE_NEWNS)
    _call(["mount", "--make-rprivate", "/"])
    _call(["mount", "--bind", str(resolv_conf), "/etc/resolv.conf"])


@pytest.fixture(scope="module")
def namespace(tmp_path_factory):
    resolv_conf = tmp_path_factory.mktemp("names") / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    space = Namespace()
    space.run(open_any_address)
    space.run(use_our_names, resolv_conf)
    yield space
    space.close()


@pytest.fixture(scope="module")
def names(namespace):
    server = namespace.run(NameServer)
    yield server
    server.close()


@pytest.fixture(scope="module")
def node(namespace, names, tmp_path_factory):
    """A proxy with the internal and refused networks that policies have by default."""
    _ = names
    folder = tmp_path_factory.mktemp("node")
    world = make_world(folder / "world")
    policy = world.policy.read_text().replace("refused: {networks: [127.10.0.0/16]}\n", "")
    policy = policy.replace("{networks: []}", "{networks: [default], domains: [intra.example]}")
    world.policy.write_text(policy)
    world.hosts.write_text("203.0.113.98 closed.example\n")
    proxy = Proxy(folder / "data", world.settings, world=world)
    namespace.run(proxy.start)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def there(namespace, authority, node):
    """Origins at every place that a name of this file leads to, on one port."""
    identity = authority.issue("neutral.example")

    def at(address: str, name: str, port: int = 0) -> Origin:
        return namespace.run(lambda: Origin(address, name, port, identity=identity))

    first = at(NEUTRAL, "Neutral")
    port = first.port
    made = SimpleNamespace(
        neutral=first,
        zoom=at(ZOOM, "Zoom", port),
        intranet=at(INTRANET, "Intranet", port),
        metadata=at(METADATA, "Metadata", port),
        loopback=at("127.0.0.1", "Loopback", port),
        loopback_6=at("::1", "Loopback 6", port),
        api=at("0.0.0.0", "API", node.api_port),  # noqa: S104 - in a namespace of its own
    )
    yield made
    for origin in vars(made).values():
        origin.close()


@pytest.fixture(autouse=True)
def _fresh(there):
    for origin in vars(there).values():
        origin.calls = []


@pytest.fixture
def visit(namespace, node, there):
    """Ask for a name by CONNECT and by plain HTTP: both statuses."""

    def ask_both(host: str, port: int = 0) -> tuple[int, int]:
        target = f"{host}:{port or there.neutral.port}"
        client, answer = connect(node, target)
        client.close()
        request = f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"
        return answer.status, ask(open_socket(node), request).status

    return lambda *asked: namespace.run(ask_both, *asked)


def reached(there) -> list[str]:
    """The origins that noticed anybody, but for the API, which the node itself tells of events."""
    return [name for name, origin in vars(there).items() if origin.hits and name != "api"]


def test_the_address_that_was_judged_is_the_one_connected_to(namespace, node, there, names):
    """The name server gives Zoom's address to whoever asks twice; one connection asks once."""

    def speak():
        client, answer = connect(node, f"rebinding.example:{there.neutral.port}")
        assert answer.status == 200
        with tls_to(client, "rebinding.example") as secure:
            return ask(secure, get("rebinding.example"))

    assert namespace.run(speak).text.endswith("<h1>Neutral /</h1>")
    assert reached(there) == ["neutral"]
    assert names.asked.count("rebinding.example") == 2  # A and AAAA, once each


def test_the_next_connection_is_judged_by_the_new_answer(visit, there, node):
    """After `rebinding.example` has moved to Zoom's own address, it is Zoom."""
    visit("rebinding.example")
    there.neutral.calls = []
    assert all(status in {200, 403, 451} for status in visit("rebinding.example"))
    assert reached(there) == []
    assert node.events(host="rebinding.example")[-1]["service"] == "zoom"


@pytest.mark.parametrize(
    "host",
    [
        "inward.example",
        "mapped.example",
        "nat64.example",
        "loopback.example",
        "loopback-6.example",
        "metadata.example",
        "zero.example",
    ],
)
def test_a_name_of_somebody_else_does_not_lead_inside(visit, there, node, host):
    assert all(status in {200, 403, 451} for status in visit(host))
    assert reached(there) == []
    assert {event["rule"] for event in node.events(host=host)} == {"refused-network"}


def test_a_name_that_moves_inside_later_is_stopped_then(visit, there):
    """As a page does that was loaded from outside, and then asks for the same name again."""
    visit("inward-later.example")
    assert reached(there) == ["neutral"]
    there.neutral.calls = []
    visit("inward-later.example")
    assert reached(there) == []


@pytest.mark.parametrize("host", ["wiki.intra.example", "printer.internal", INTRANET])
def test_the_administrations_own_names_and_addresses_lead_inside(visit, there, host):
    assert visit(host) == (200, 200)
    assert reached(there) == ["intranet"]


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", METADATA, "0.0.0.0", "127.1", *ZONED])  # noqa: S104
def test_an_address_inside_the_machine_is_refused(visit, there, address):
    assert all(status in {403, 451} for status in visit(address))
    assert reached(there) == []


def test_the_node_itself_is_not_reached_by_any_address_of_its_machine(visit, there, node):
    """10.9.8.7 is internal, and an address of this machine, on which its API would listen too."""
    for address in ("127.0.0.1", INTRANET):
        for port in (node.api_port, node.port):
            assert 200 not in visit(address, port), (address, port)
    asked = [request for call in there.api.calls for request in call.requests]
    assert not any(request.startswith(b"GET / ") for request in asked)


def test_a_name_that_is_never_answered_holds_nobody_up(namespace, node, there, visit):
    """The client gets its answer in time, and everybody else theirs meanwhile."""

    def begin():
        client = open_socket(node)
        client.sendall(f"CONNECT {SILENT}:443 HTTP/1.1\r\nHost: {SILENT}\r\n\r\n".encode())
        return client

    waiting = namespace.run(begin)
    assert visit("neutral.example") == (200, 200)
    assert reached(there) == ["neutral"]
    waiting.settimeout(9)  # the system alone would take ten seconds
    assert waiting.recv(100).startswith(b"HTTP/1.1 502")
    waiting.close()
