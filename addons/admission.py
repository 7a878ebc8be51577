"""Who may come in: connections of one address and altogether, as far as memory and files go."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.limits import Limits

WINDOW_SECONDS: Final = 10.0
FILES_EACH: Final = 2
"""Open files of a connection: to the client, and to the destination."""

REASONS: Final = {
    "client_connections": (429, "Too many connections of this client"),
    "client_openings": (429, "Too many new connections of this client"),
    "connections": (503, "This node has as many connections as it can hold"),
    "memory_mib": (503, "This node has no memory left for new connections"),
    "head_bytes": (431, "The head of the request is too large"),
    "head_lines": (431, "The request has too many header fields"),
    "head_seconds": (408, "The head of the request took too long"),
}
"""Status and title of the answer, by the name of the limit."""

RETRY_SECONDS: Final = 10


class Refusal(NamedTuple):
    """A problem (RFC 9457) that says which limit was reached; the connection ends with it."""

    status: int
    title: str
    limit: str

    @property
    def body(self) -> bytes:
        """The problem as JSON."""
        told = {"type": "about:blank", "title": self.title, "status": self.status}
        return json.dumps(told | {"limit": self.limit}).encode()

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The header fields that go with it."""
        retry = (("Retry-After", str(RETRY_SECONDS)),) if self.status in {429, 503} else ()
        return (("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"), *retry)

    @property
    def message(self) -> bytes:
        """The whole answer as it goes over the wire."""
        length = ("Content-Length", str(len(self.body)))
        lines = [f"HTTP/1.1 {self.status} {self.title}"]
        lines += [f"{name}: {value}" for name, value in (*self.fields, length)]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + self.body


def refusal(limit: str) -> Refusal:
    """What whoever reaches this limit is told. Raises KeyError for one without an answer."""
    status, title = REASONS[limit]
    return Refusal(status, title, limit)


class Admission:
    """Counts connections. `files` is how many the process may have open at a time.

    `short_of_memory` says whether there is too little for another connection.
    """

    def __init__(
        self,
        limits: Limits,
        files: int,
        short_of_memory: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        room = max(1, (files - limits.file_reserve) // FILES_EACH)
        self.most = min(limits.connections, room)
        self.held = 0
        self._limits, self._clock = limits, clock
        self._short_of_memory = short_of_memory
        self._of_client: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()
        self._window = clock()

    def take(self, key: str) -> str:
        """Count a connection in; or give the name of the limit that it would go over."""
        limit = self._over(key)
        if not limit:
            self.held += 1
            self._of_client[key] += 1
        return limit

    def leave(self, key: str) -> None:
        """Count a connection out that was taken in."""
        self.held -= 1
        self._of_client[key] -= 1
        if self._of_client[key] <= 0:
            del self._of_client[key]

    def has(self, key: str) -> bool:
        """Whether this client holds a connection."""
        return key in self._of_client

    def _over(self, key: str) -> str:
        if self._is_opening_too_often(key):
            return "client_openings"
        if self._of_client[key] >= self._limits.client_connections:
            return "client_connections"
        if self.held >= self.most:
            return "connections"
        return "memory_mib" if self._short_of_memory() else ""

    def _is_opening_too_often(self, key: str) -> bool:
        now = self._clock()
        if now - self._window >= WINDOW_SECONDS:
            self._opened.clear()
            self._window = now
        self._opened[key] += 1
        return self._opened[key] > self._limits.client_openings
