"""How long it takes from a click of an admin to its effect on every node.

`python bench/fleet.py [--rounds 30]` starts a real API (SQLite) and two real nodes with data
directories of their own, on loopback. Each round a client of its own is stopped at both; then an
exception is granted for it, both nodes are asked every 10 ms until they let it through, and the
same once it is revoked. In the last rounds a worker acknowledges at one node, and the other is
asked. It prints median and worst of each, from before the request to the API (or node) is sent, to
the later of the two nodes.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.lab import world as places
from tests.lab.apis import Api
from tests.lab.certificates import make_authority
from tests.lab.clients import NAVIGATION, TOKEN, curl
from tests.lab.origins import Origin
from tests.lab.proxies import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BAR = 2.0
POLL = 0.01
PATIENCE = 30.0
GO_ON = "/.well-known/sovproxy/go-on"


class Lab:
    """An API, two nodes, and two origins: one that is blocked, one that is warned about."""

    def __init__(self, folder: Path) -> None:
        world = places.make_world(folder / "world")
        authority = make_authority(folder / "authority")
        self.zoom = Origin(places.ZOOM, "Zoom", identity=authority.issue("zoom.us"))
        self.slack = Origin(places.AMAZON_PARIS, "Slack", identity=authority.issue("slack.com"))
        self.api = Api(folder / "api", dict(world.settings))
        self.nodes = [self._node(folder / name, world, name) for name in ("one", "two")]

    def _node(self, folder: Path, world: places.World, name: str) -> Proxy:
        settings = dict(world.settings) | {"SOVPROXY_NODE": name}
        return Proxy(folder, settings, world=world)

    def start(self) -> None:
        """Start the API, and the nodes with tokens of their own."""
        self.api.start()
        for node in self.nodes:
            self.api.enrol(node)
            node.start()
        for name in ("one", "two"):
            self.api.wait_for_node(name, current=True)

    def stop(self) -> None:
        """End everything."""
        for node in self.nodes:
            node.stop()
        self.api.kill()
        self.zoom.close()
        self.slack.close()


def status(node: Proxy, host: str, port: int, me: str) -> int:
    """What a plain request of one client gets: 200 from the origin, or 451."""
    with socket.create_connection(("127.0.0.1", node.port), PATIENCE, (me, 0)) as client:
        lines = (f"GET http://{host}:{port}/ HTTP/1.1", f"Host: {host}:{port}", "Connection: close")
        client.sendall("\r\n".join((*lines, "", "")).encode())
        return int(client.recv(64).split(b" ")[1])


def wait_for(wanted: int, lab: Lab, nodes: list[Proxy], host: str, me: str) -> None:
    """Return when every node answers so."""
    port = (lab.zoom if host == "zoom.us" else lab.slack).port
    deadline = time.monotonic() + PATIENCE
    for node in nodes:
        while status(node, host, port, me) != wanted:
            assert time.monotonic() < deadline, f"no {wanted} after {PATIENCE} s"
            time.sleep(POLL)


def took(work: Callable[[], object]) -> float:
    """Seconds that it took, begun at a moment that nothing here is in step with."""
    time.sleep(random.uniform(0, 0.5))
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def clients() -> Iterator[str]:
    """Addresses that nobody else connects from."""
    yield from (f"127.9.{high}.{low}" for high in range(1, 255) for low in range(1, 255))


def grant_and_revoke(lab: Lab, me: str) -> tuple[float, float]:
    """Seconds until a grant, and until its end, have effect at both nodes."""
    wait_for(451, lab, lab.nodes, "zoom.us", me)
    granted = {}

    def grant() -> None:
        granted.update(lab.api.grant(lab.nodes[0].pseudonym(me), "zoom"))
        wait_for(200, lab, lab.nodes, "zoom.us", me)

    def revoke() -> None:
        lab.api.revoke(granted)
        wait_for(451, lab, lab.nodes, "zoom.us", me)

    return took(grant), took(revoke)


def acknowledge(lab: Lab, me: str) -> float:
    """Seconds until what is acknowledged at one node holds at the other."""
    url = f"http://slack.com:{lab.slack.port}"
    one, two = lab.nodes
    found = TOKEN.search(curl(one, url, *NAVIGATION, me=me).text)
    assert found

    def go_on() -> None:
        form = ("--data-urlencode", f"token={found[1]}", "--data-urlencode", "reason=partner")
        assert curl(one, url + GO_ON, *form, *NAVIGATION, me=me).status == 303
        wait_for(200, lab, [two], "slack.com", me)

    return took(go_on)


def say(name: str, seconds: list[float]) -> None:
    """Print one line of figures."""
    median, worst = statistics.median(seconds), max(seconds)
    print(f"{name:36} median {median:6.3f} s   worst {worst:6.3f} s   bar {BAR} s")


def main() -> None:
    """Measure everything once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        lab, people = Lab(Path(folder)), clients()
        try:
            lab.start()
            both = [grant_and_revoke(lab, next(people)) for _ in range(rounds)]
            say("granted, in force at both nodes", [granted for granted, _ in both])
            say("revoked, stopped at both nodes", [revoked for _, revoked in both])
            gone_on = [acknowledge(lab, next(people)) for _ in range(rounds)]
            say("gone on at one, holds at the other", gone_on)
            state = lab.nodes[1].data / "node" / "state.json"
            print(f"state kept by a node: {state.stat().st_size} bytes")
        finally:
            lab.stop()


if __name__ == "__main__":
    main()
