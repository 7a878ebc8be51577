"""One at a time for each person: what is dear is not begun twice by the same."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Busy(SovproxyError):
    """The same person, or too many others, have begun one already."""


class Turns:
    """Turns by name: one for each, and `most` in all. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    @contextmanager
    def taken(self, name: str) -> Iterator[None]:
        """Take a turn until the block ends. Raises Busy."""
        with self._lock:
            if name in self._taken:
                raise Busy("you have begun one already; wait until it is done")
            if len(self._taken) >= self._most:
                raise Busy(f"others have begun {self._most} already; try again in a moment")
            self._taken.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._taken.discard(name)
