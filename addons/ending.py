"""How the node begins and ends: it says when it is ready, and lets tunnels finish before it goes.

On the first SIGTERM, SIGINT or SIGHUP it takes no new connections, closes those that are between
two requests, and gives the others `drain_seconds`. The second signal ends them at once. mitmproxy
would close everything with the first.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx

from .stages import Held, Stage

if TYPE_CHECKING:
    from sovproxy.usecases.upkeep.notifying import Notifier

    from .limits import Limits

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_SECONDS: Final = 0.1
LAST_SECONDS: Final = 3.0
"""How long connections that were closed may take to be put on record."""


class Ending:
    """Ends mitmproxy when the connections in `limits` have."""

    def __init__(self, limits: Limits, notifier: Notifier) -> None:
        self._limits, self._notifier = limits, notifier
        self._draining: asyncio.Task[None] | None = None
        self._living: asyncio.Task[None] | None = None

    def running(self) -> None:
        """Take signals over from mitmproxy, and say that the gate is ready."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.begin)
        self._living = loop.create_task(self._live())
        self._notifier.ready()

    def done(self) -> None:
        """End."""
        if self._living:
            self._living.cancel()

    async def _live(self) -> None:
        while True:
            self._notifier.alive()
            await asyncio.sleep(self._notifier.every)

    def begin(self) -> None:
        """Begin to end; at once when it has begun already."""
        if self._draining:
            log.warning("draining: ended at once, with %d connections", len(self._limits.held))
            self._draining.cancel()
            self._draining = asyncio.get_running_loop().create_task(self._close())
            return
        self._notifier.stopping()
        ctx.options.update(server=False)  # mitmproxy listens no more; what is open stays
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        seconds = self._limits.settings.drain_seconds
        deadline = time.monotonic() + seconds
        self._end_idle()
        if self._limits.held:
            log.info("draining: %d connections have %g s", len(self._limits.held), seconds)
        while self._limits.held and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            self._end_idle()
        if self._limits.held:
            log.warning("draining: %d connections are cut off", len(self._limits.held))
        await self._close()

    async def _close(self) -> None:
        """Close what is open, let its end go on record, and end mitmproxy."""
        deadline = time.monotonic() + LAST_SECONDS
        while self._limits.held and time.monotonic() < deadline:
            for held in list(self._limits.held.values()):
                held.end()
            await asyncio.sleep(LOOK_SECONDS / 10)
        ctx.master.shutdown()

    def _end_idle(self) -> None:
        for held in list(self._limits.held.values()):
            if _is_idle(held):
                held.end()


def _is_idle(held: Held) -> bool:
    """Whether nothing of anybody is under way on this connection."""
    return held.stage in {Stage.IDLE, Stage.REFUSED} or (
        held.stage is Stage.HEAD and held.taken == 0
    )
