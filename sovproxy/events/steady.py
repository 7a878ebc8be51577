"""Whether the clock can be believed: what is deleted for its age must not go because of a jump."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

JUMP_SECONDS: Final = 300.0
"""How far a clock may be set between two looks without being taken for a jump."""

STEADY_SECONDS: Final = 6 * 3600.0
"""How long after a jump the clock is not believed: time in which somebody can set it right."""


def uptime() -> float:
    """Seconds since the machine started, sleep included; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """Compares the clock with the machine's uptime. Both are in seconds.

    Where `believed` is false, the clock must first have run for a while: a machine may start with
    a wrong one.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        believed: bool,
        steady_seconds: float = STEADY_SECONDS,
        uptime: Callable[[], float] = uptime,
    ) -> None:
        self._clock = clock
        self._uptime = uptime
        self._steady_seconds = steady_seconds
        self._last = clock(), uptime()
        self._since = self._last[1] - (steady_seconds if believed else 0.0)

    def is_steady(self) -> bool:
        """Whether it has not jumped for a while. To be asked again and again."""
        now, up = self._clock(), self._uptime()
        jump = (now - self._last[0]) - (up - self._last[1])
        self._last = now, up
        if abs(jump) > JUMP_SECONDS:
            hours = self._steady_seconds / 3600
            log.error(
                "the clock jumped by %.0f s; nothing is deleted for its age within %.0f hours",
                jump,
                hours,
            )
            self._since = up
        return up - self._since >= self._steady_seconds
