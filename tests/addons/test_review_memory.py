"""What a client that is stopped, or gone, may leave in the node's memory."""

from __future__ import annotations

from contextlib import suppress

import h2.exceptions
import pytest
from mitmproxy.connection import Client
from sovproxy_addons.gate import Gate

from sovproxy.settings import Settings
from sovproxy.usecases.nodes.node import Node
from tests.baseline import furnished
from tests.lab.test_lab_http2 import h2_to
from tests.lab.world import make_world

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

MEGABYTE = 1 << 20
PATIENCE = 4.0
"""Seconds without any progress after which nothing more is read from us: that is what we want."""


def test_an_http_2_body_of_no_stated_length_fills_no_memory(proxy, origins, me):
    """HTTP/2 needs neither a length nor an encoding, so the fields do not tell how much comes."""
    client = h2_to(proxy, "zoom.us", origins.zoom.port, proxy.authority, me=me)
    client.secure.settimeout(PATIENCE)
    before, stream, sent = proxy.memory(), client.send("/up", end=False), 0
    with suppress(OSError, h2.exceptions.ProtocolError):
        while sent < 80 * MEGABYTE and stream not in client.ended:
            room = min(client.http.local_flow_control_window(stream), 16384)
            if room:
                client.http.send_data(stream, b"x" * room)
                client.flush()
                sent += room
                continue
            for event in client.http.receive_data(client.secure.recv(65536)):
                client._take(event)
    assert proxy.memory() - before < 30 * MEGABYTE
    assert origins.zoom.hits == 0
    client.secure.close()
    (event,) = proxy.wait_for_events(me)
    assert (event["host"], event["outcome"]) == ("zoom.us", "closed")


@pytest.fixture
def gate(tmp_path, monkeypatch):
    for name, value in make_world(tmp_path / "world").settings.items():
        monkeypatch.setenv(name, value)
    node = Node(Settings(data_dir=furnished(tmp_path / "data")))
    yield Gate(node)
    node.close()


def test_a_hook_that_outlives_its_client_leaves_no_session(gate):
    """mitmproxy stamps the end before it tells us; nobody would take out what comes after."""
    client = Client(peername=("127.1.2.3", 1), sockname=("127.0.0.1", 2), timestamp_start=1.0)
    gate._session(client)
    assert len(gate.sessions) == 1
    gate.sessions.clear()
    client.timestamp_end = 2.0
    gate._session(client)
    assert not gate.sessions
