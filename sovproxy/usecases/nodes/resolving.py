"""Turns names into addresses, so that the address that is judged is the one connected to."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sovproxy.decide.normalise import read_address, read_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_ADDRESSES = 16
"""Addresses of one name that are looked at; further ones are left out."""

THREADS = 64
"""Names resolved at once; more wait. The system's resolver blocks a thread for each."""

RESOLVE_SECONDS = 5.0
"""How long a client waits for a name, its turn included; then it is told that there is no answer.

The system may take far longer: the resolver asks every name server several times. Its thread is
left to end by itself, and whoever asks for the same name meanwhile waits for the same answer.
"""

AVOID_SECONDS = 60.0
"""How long an address that refused a connection is tried last."""

MAX_AVOIDED = 10_000


class Resolver:
    """Resolves names: first from `hosts_file` (hosts(5) lines), then as the system does."""

    def __init__(
        self, hosts_file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts_file = hosts_file
        self._clock = clock
        self._stamp = 0
        self._static: dict[str, tuple[str, ...]] = {}
        self._avoided: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Addresses of a canonical host, those that work first; empty when there are none in time.

        An answer that comes too late is nobody's: the next who asks gets a new one.
        """
        static = self._from_file(host)
        found = static if static is not None else await self._from_system(host)
        return tuple(sorted(found, key=self._is_avoided)) if len(found) > 1 else found

    def avoid(self, address: str) -> None:
        """Try this address last for a while: it refused a connection."""
        if len(self._avoided) >= MAX_AVOIDED:
            self._avoided.clear()
        self._avoided[address] = self._clock() + AVOID_SECONDS

    def _is_avoided(self, address: str) -> bool:
        return self._avoided.get(address, 0.0) > self._clock()

    def _from_file(self, host: str) -> tuple[str, ...] | None:
        if self._hosts_file is None:
            return None
        try:
            stamp = self._hosts_file.stat().st_mtime_ns
            if stamp != self._stamp:
                self._static = read_hosts(self._hosts_file.read_text("utf-8", errors="replace"))
                self._stamp = stamp
        except OSError:
            pass  # it is being replaced, or cannot be read: what was read last holds
        return self._static.get(host)

    async def _from_system(self, host: str) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await asyncio.shield(self._ask(host))
        except (OSError, UnicodeError):  # a TimeoutError is an OSError
            return ()
        addresses = (read_address(address.partition("%")[0]) for address in found)
        return tuple(dict.fromkeys(address for address in addresses if address))[:MAX_ADDRESSES]

    def _ask(self, host: str) -> asyncio.Future[list[str]]:
        """The question to the system, of which there is one at a time for each name."""
        asked = self._under_way.get(host)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._under_way[host] = loop.run_in_executor(self._pool, _look_up, host)
            asked.add_done_callback(lambda done: self._forget(host, done))
        return asked

    def _forget(self, host: str, done: asyncio.Future[list[str]]) -> None:
        del self._under_way[host]
        if not done.cancelled():
            done.exception()  # looked at: nobody may be waiting any more


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def read_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Read hosts(5) lines: an address and its names; `#` begins a comment; bad lines are left out.

    A name on several lines has all their addresses, in order.
    """
    hosts: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        canonical = read_address(address)
        for name in names if canonical else ():
            host = read_host(name).label
            hosts[host] = (*hosts.get(host, ()), canonical)
    return hosts
