"""How much one client may give the node to keep for the API: a script cannot fill the outbox."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_SECONDS: Final = 86_400
MAX_CLIENTS: Final = 20_000
"""Clients that are remembered, the latest to ask."""


class Quota:
    """At most `most` ids of one client within a day, in memory. Safe to share between threads."""

    def __init__(self, most: int, clock: Callable[[], float] = time.time) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: dict[str, dict[str, float]] = {}

    def take(self, client: str, request_id: str) -> float:
        """Let the client have this id kept: 0, or in how many seconds it may have another one.

        An id that it had today is no further one.
        """
        now = self._clock()
        with self._lock:
            before = self._taken.pop(client, {})
            taken = {one: at for one, at in before.items() if at > now - DAY_SECONDS}
            fits = request_id in taken or len(taken) < self._most
            if fits:
                taken.setdefault(request_id, now)
            self._taken[client] = taken
            if len(self._taken) > MAX_CLIENTS:
                del self._taken[next(iter(self._taken))]
        return 0.0 if fits else min(taken.values()) + DAY_SECONDS - now
