"""How a node ends: it takes nobody new, lets tunnels finish, and what was decided is on disk."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.clients import connect, curl, open_socket, read_all, read_until
from tests.lab.proxies import PATIENCE, Proxy, listens, wait_until
from tests.lab.world import make_world

if TYPE_CHECKING:
    import socket

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-limits")]


def draining(start_proxy, seconds: float) -> Proxy:
    return start_proxy(settings={"SOVPROXY_LIMITS__DRAIN_SECONDS": str(seconds)})


def open_tunnel(node, origins, me) -> socket.socket:
    tunnel, _ = connect(node, f"neutral.example:{origins.neutral.port}", me=me)
    tunnel.sendall(b"\x05hello")
    assert tunnel.recv(100) == b"\x05hello"
    return tunnel


def test_tunnels_finish_and_nobody_new_comes_in(start_proxy, origins, me):
    node = draining(start_proxy, 300)
    tunnel = open_tunnel(node, origins, me)
    kept = open_socket(node, me)
    target = f"neutral.example:{origins.neutral.port}"
    kept.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert b"Neutral" in read_until(kept, b"</h1>")
    fresh = open_socket(node, me)
    stopped, _ = connect(node, "zoom.us:443", me=me)
    node.process.terminate()
    wait_until(lambda: not listens(node.port), "it listens no more")
    assert read_all(kept) == read_all(fresh) == b""  # nothing is under way on them
    tunnel.sendall(b"and on")
    assert tunnel.recv(100) == b"and on"
    assert not node.has_ended()
    stopped.close()
    tunnel.close()
    assert node.process.wait(PATIENCE) == 0
    (event,) = node.events(me, host="zoom.us")
    assert event["outcome"] == "closed"
    assert sum(rollup["count"] for rollup in node.rollups()) >= 2


def test_tunnels_that_do_not_finish_are_cut_off_in_time(start_proxy, origins, me):
    node = draining(start_proxy, 1)
    tunnel = open_tunnel(node, origins, me)
    node.process.terminate()
    assert read_all(tunnel) == b""
    assert node.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_second_signal_ends_it_at_once(start_proxy, origins, me, number):
    node = draining(start_proxy, 3600)
    tunnel = open_tunnel(node, origins, me)
    node.process.send_signal(number)
    wait_until(lambda: not listens(node.port), "it listens no more")
    time.sleep(0.5)
    assert not node.has_ended()
    node.process.send_signal(number)
    assert read_all(tunnel) == b""
    assert node.process.wait(PATIENCE) == 0


class Small(Proxy):
    """A node without room; it refuses everybody, which shows that it is there."""

    def answers(self) -> bool:
        return listens(self.port)


def test_a_node_without_memory_takes_nobody_new_and_says_so(tmp_path, world_settings, me):
    node = Small(tmp_path / "data", world_settings | {"SOVPROXY_LIMITS__MEMORY_MIB": "1"})
    node.start()
    try:
        url = "http://zoom.us/"
        wait_until(lambda: curl(node, url, me=me).status == 503, "it looks at its memory")
        assert curl(node, url, me=me).problem["limit"] == "memory_mib"
    finally:
        node.stop()


@pytest.fixture
def world_settings(tmp_path):
    return make_world(tmp_path / "world").settings
