"""Deliveries that wait to be stored, and whose turn it is to store them."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sovproxy.store.batches import Batch

MAX_TOGETHER: Final = 25_000  # records of deliveries that are stored together


@dataclass(frozen=True, slots=True)
class Stored:
    """How many records were new, and how many were there already."""

    accepted: int
    duplicates: int


@dataclass(eq=False, slots=True)
class Delivery:
    """Records that one caller wants stored, and what became of them."""

    events: Batch
    rollups: Batch
    stored: Future[Stored] = field(default_factory=Future)
    taken: bool = False

    @property
    def size(self) -> int:
        """How many records it has."""
        return len(self.events.ids) + len(self.rollups.ids)


class Queue:
    """Deliveries that wait. Of their callers, one at a time stores: its own and others'."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Delivery] = []
        self._busy = False

    def turn(self, mine: Delivery) -> list[Delivery]:
        """Wait until `mine` can be stored, and give it with others that the caller is to store too,
        and call `done` then; nothing if another caller has taken it along."""
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: mine.taken or not self._busy)
            if mine.taken:
                return []
            self._busy = True
            return self._take(mine)

    def _take(self, mine: Delivery) -> list[Delivery]:
        """`mine`, and as many others as there is room for, those first that have waited longest."""
        group, size = [mine], mine.size
        for other in self._waiting:
            if other is not mine and size + other.size <= MAX_TOGETHER:
                group.append(other)
                size += other.size
        for delivery in group:
            delivery.taken = True
        self._waiting = [delivery for delivery in self._waiting if not delivery.taken]
        self._changed.notify_all()
        return group

    def done(self) -> None:
        """Let the next caller store."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
