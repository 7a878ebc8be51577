"""A network of its own for one thread: loopback only, with real redirection of connections to it.

A thread can leave for a new network namespace; every socket it opens and every process it starts
from then on lives there. Needs the rights to make one (root, as in CI).
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = "127.77.0.0/16"
"""Connections from these addresses are redirected to the proxy, wherever they go."""


class Namespace:
    """Runs functions inside a network namespace; one at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, initializer=_leave)

    def run[T](self, function: Callable[..., T], *arguments: object) -> T:
        return self._thread.submit(function, *arguments).result(timeout=120)

    def redirect_to(self, port: int) -> None:
        """Redirect what clients open to `port`, as a router's NAT would."""
        rule = ["-p", "tcp", "-s", CLIENTS, "-j", "REDIRECT", "--to-ports", str(port)]
        self.run(_call, ["iptables", "-t", "nat", "-A", "OUTPUT", *rule])

    def close(self) -> None:
        self._thread.shutdown()


def _leave() -> None:
    os.unshare(os.CLONE_NEWNET)
    _call(["ip", "link", "set", "lo", "up"])


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def open_any_address() -> None:
    """Make every address of the world one of this namespace's own: nothing can leave it."""
    _call(["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"])
    _call(["ip", "-6", "route", "add", "local", "::/0", "dev", "lo"])
