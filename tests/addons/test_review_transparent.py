"""A client that was redirected to us reaches only the address that was judged."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.clients import ask, get, open_socket, read_all, read_answer, trusting
from tests.lab.proxies import ROOT, Proxy, listens
from tests.lab.world import NEUTRAL, make_world

if TYPE_CHECKING:
    from tests.lab.origins import Origin

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

REDIRECTED = ROOT / "tests" / "addons" / "scripts" / "redirected.py"


class Redirected(Proxy):
    """A transparent proxy: there is no CONNECT to ask it whether it is ready."""

    def answers(self) -> bool:
        return listens(self.port) and not time.sleep(2)

    def lead(self, origin: Origin) -> None:
        """From now on clients were going to this origin."""
        Path(self.settings["LAB_TARGET"]).write_text(f"{origin.address} {origin.port}")


@pytest.fixture(scope="module")
def redirected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redirected")
    (folder / "target").write_text(f"{NEUTRAL} 1")
    settings = {**make_world(folder / "world").settings, "LAB_TARGET": str(folder / "target")}
    options = ("--mode", "transparent")
    found = Redirected(folder / "data", settings, (str(REDIRECTED),), options)
    found.start()
    yield found
    found.stop()


def hello_for(name: str) -> bytes:
    """A ClientHello with this server name, which OpenSSL would not send for an address."""
    stand_in = "x" * len(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = unchecked().wrap_bio(incoming, outgoing, server_hostname=stand_in)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read().replace(stand_in.encode(), name.encode())


def unchecked(*roots):
    context = trusting(*roots)
    context.check_hostname, context.verify_mode = False, 0
    return context


def test_an_address_as_server_name_does_not_open_another_address(redirected, origins, me):
    redirected.lead(origins.zoom)
    client = open_socket(redirected, me)
    client.sendall(hello_for(NEUTRAL))
    client.recv(16)
    assert origins.zoom.hits == 0


def test_an_address_as_host_does_not_lead_elsewhere(redirected, origins):
    """The client chose where to go; a field of its request does not."""
    redirected.lead(origins.visio)
    client = open_socket(redirected)
    client.sendall(get(f"{NEUTRAL}:{origins.neutral.port}").encode())
    answer = read_answer(read_all(client))
    assert answer.status == 200
    assert (origins.visio.hits, origins.neutral.hits) == (1, 0)


def test_what_may_pass_is_tunnelled_to_where_the_client_went(redirected, origins, authority):
    redirected.lead(origins.neutral)
    client = open_socket(redirected)
    with trusting(authority.certificate).wrap_socket(
        client, server_hostname="neutral.example"
    ) as secure:
        assert ask(secure, get("neutral.example")).status == 200


def test_an_address_of_zoom_is_stopped_without_a_name(redirected, origins):
    redirected.lead(origins.zoom)
    client = open_socket(redirected)
    with pytest.raises(OSError, match=r"EOF|reset"):
        unchecked().wrap_socket(client)
    assert origins.zoom.hits == 0
