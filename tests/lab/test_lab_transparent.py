"""Transparent mode: connections that the network redirects to the node, with real redirection.

Everything of these tests lives in a network namespace of its own, where there is only loopback.
"""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from tests.lab.clients import ask, get, read_all, read_answer, trusting
from tests.lab.namespaces import Namespace
from tests.lab.origins import Origin
from tests.lab.proxies import Proxy
from tests.lab.test_lab_disguises import tls_to
from tests.lab.world import NAMES, NEUTRAL, TELEMETRY, VISIO, ZOOM, make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-transparent")]

ME = "127.77.0.1"


@pytest.fixture(scope="module")
def namespace():
    space = Namespace()
    yield space
    space.close()


@pytest.fixture(scope="module")
def there(namespace, authority):
    """Origins inside the namespace."""

    def at(address: str, name: str) -> Origin:
        names = [host for host, found in NAMES.items() if address in found]
        identity = authority.issue(*names, address)
        return namespace.run(lambda: Origin(address, name, identity=identity))

    made = SimpleNamespace(
        zoom=at(ZOOM, "Zoom"),
        telemetry=at(TELEMETRY, "Telemetry"),
        visio=at(VISIO, "Visio"),
        neutral=at(NEUTRAL, "Neutral"),
        slack=at("127.15.0.10", "Slack"),
    )
    yield made
    for origin in vars(made).values():
        origin.close()


@pytest.fixture(scope="module")
def gateway(namespace, tmp_path_factory):
    """A proxy in transparent mode, to which every connection of the clients is redirected."""
    folder = tmp_path_factory.mktemp("gateway")
    world = make_world(folder / "world")
    proxy = Proxy(folder / "data", world.settings, world=world, redirected_from="127.77.250.1")
    proxy.arguments = ("--mode", "transparent")
    namespace.redirect_to(proxy.port)
    try:
        namespace.run(proxy.start)
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture(autouse=True)
def _fresh(there):
    for origin in vars(there).values():
        origin.calls = []


@pytest.fixture
def inside(namespace, gateway):
    """Run a function inside the namespace, where its connections are redirected."""
    _ = gateway
    return namespace.run


def open_to(origin, me=ME) -> socket.socket:
    """A connection to an origin, as any program would open it."""
    return socket.create_connection((origin.address, origin.port), 20, (me, 0))


def test_an_allowed_host_is_tunnelled_with_its_own_certificate(inside, there, authority):
    def visit():
        context = trusting(authority.certificate)
        secure = context.wrap_socket(
            open_to(there.visio), server_hostname="visio.numerique.gouv.fr"
        )
        return ask(secure, get("visio.numerique.gouv.fr", "/room"))

    assert inside(visit).text.endswith("<h1>Visio /room</h1>")
    assert there.visio.calls[0].server_name == "visio.numerique.gouv.fr"


def test_a_blocked_host_shows_the_prompt(inside, there, gateway):
    def visit():
        secure = tls_to(open_to(there.zoom), "zoom.us", gateway.authority)
        return ask(secure, get("zoom.us", "/j/123"))

    assert inside(visit).is_prompt
    assert there.zoom.hits == 0
    event = gateway.events(host="zoom.us", outcome="prompted")[0]
    assert (event["address"], event["port"]) == (ZOOM, there.zoom.port)


def test_plain_http_shows_the_prompt(inside, there):
    assert inside(lambda: ask(open_to(there.zoom), get("zoom.us"))).is_prompt
    assert there.zoom.hits == 0


def test_the_magic_host_is_answered_wherever_its_name_leads(inside, there, gateway):
    def ask_for_me():
        plain = get("sovproxy.internal", "/worker", "X-Sovproxy-Extension: 1")
        return ask(open_to(there.neutral, "127.77.0.12"), plain)

    answer = inside(ask_for_me)
    assert (answer.status, answer.problem["host"]) == (503, "sovproxy.internal")
    assert there.neutral.hits == 0

    def by_tls():
        with pytest.raises(OSError):  # noqa: PT011  # closed, in one of several ways
            tls_to(open_to(there.neutral, "127.77.0.12"), "sovproxy.internal", gateway.authority)

    inside(by_tls)
    assert gateway.events("127.77.0.12") == []


def test_an_address_without_a_name_is_judged_by_its_prefix(inside, there, gateway):
    """No certificate of ours names an address: the connection is closed."""
    with pytest.raises(OSError, match=r"EOF|reset"):
        inside(lambda: tls_to(open_to(there.zoom), ""))
    assert there.zoom.hits == 0


def test_a_protocol_of_its_own_to_a_blocked_address_is_closed(inside, there, gateway):
    def chat():
        client = open_to(there.zoom, "127.77.0.9")
        client.sendall(b"\x00\x01 media")
        return read_all(client)

    assert inside(chat) == b""
    (event,) = gateway.wait_for_events("127.77.0.9")
    assert (event["outcome"], event["address"]) == ("closed", ZOOM)
    assert there.zoom.hits == 0


def test_an_allowed_name_does_not_open_a_blocked_address(inside, there):
    """The client says it wants Visio, and connects to Zoom's own addresses."""
    name = "visio.numerique.gouv.fr"
    with pytest.raises(OSError, match=r"EOF|reset"):
        inside(lambda: tls_to(open_to(there.zoom), name))
    assert there.zoom.hits == 0


def test_a_blocked_name_is_stopped_at_an_innocent_address(inside, there):
    answer = inside(lambda: ask(tls_to(open_to(there.neutral), "zoom.us"), get("zoom.us")))
    assert answer.is_prompt
    assert not any(call.first_bytes for call in there.neutral.calls)


def test_a_blocked_host_field_is_stopped_at_an_innocent_address(inside, there):
    assert inside(lambda: ask(open_to(there.neutral), get("zoom.us"))).is_prompt
    assert not any(call.requests for call in there.neutral.calls)


def test_telemetry_passes_where_its_name_resolves_to_that_very_address(inside, there, authority):
    def visit():
        name = "mobile.pipe.aria.microsoft.com"
        secure = trusting(authority.certificate).wrap_socket(
            open_to(there.telemetry), server_hostname=name
        )
        return ask(secure, get(name))

    assert inside(visit).status == 200


def test_a_name_that_resolves_elsewhere_does_not_excuse_an_address_of_teams(inside, there):
    with pytest.raises(OSError, match=r"EOF|reset"):
        inside(lambda: tls_to(open_to(there.telemetry), "neutral.example"))
    assert not any(call.first_bytes for call in there.telemetry.calls)


def test_plain_http_to_an_allowed_host_passes(inside, there):
    answer = inside(lambda: ask(open_to(there.neutral), get("neutral.example", "/page")))
    assert answer.text.endswith("<h1>Neutral /page</h1>")


def test_a_protocol_of_its_own_to_an_innocent_address_passes(inside, there):
    def chat():
        client = open_to(there.neutral)
        client.sendall(b"\x00\x01 hello")
        return client.recv(100)

    assert inside(chat) == b"\x00\x01 hello"


def test_a_warning_can_be_acknowledged(inside, there, gateway, authority):
    me = "127.77.0.5"

    def speak(request):
        return ask(tls_to(open_to(there.slack, me), "slack.com"), request)

    def go_on():
        prompt = speak(get("slack.com", "/archives"))
        body = f"token={prompt.token}&reason=partner"
        lines = ["POST /.well-known/sovproxy/go-on HTTP/1.1", "Host: slack.com"]
        lines += [f"Content-Length: {len(body)}", "Sec-Fetch-Mode: navigate", "", body]
        return speak("\r\n".join(lines))

    def come_back():
        secure = trusting(authority.certificate).wrap_socket(
            open_to(there.slack, me), server_hostname="slack.com"
        )
        return ask(secure, get("slack.com", "/archives"))

    answer = inside(go_on)
    assert (answer.status, answer.fields["location"]) == (303, "/archives")
    assert inside(come_back).text.endswith("<h1>Slack /archives</h1>")


def test_a_client_hello_in_single_bytes_is_judged(inside, there):
    def visit():
        client = open_to(there.zoom)
        request = get("zoom.us").encode()
        for byte in request:
            client.sendall(bytes([byte]))
        return read_answer(read_all(client))

    assert inside(visit).is_prompt
    assert there.zoom.hits == 0


def test_a_name_that_cannot_be_read_does_not_slip_through(inside, there):
    def visit():
        return ask(open_to(there.neutral), get("zoom.us\x00.example"))

    assert inside(visit).status in {0, 400, 403, 451}
