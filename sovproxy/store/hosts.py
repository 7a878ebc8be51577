"""The hosts that events name, in memory: to find those with a text in them, faster than asking.

A few bytes to a host; where there are too many hosts for that, the database looks for itself.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import select

from sovproxy.store.bulk import last_number
from sovproxy.store.tables import WORDS
from sovproxy.store.words import contains, numbers_where

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sovproxy.store.packing import Numbers

MOST: Final = 3_000_000
_END: Final = "\n"  # in no host: only printable text is taken in


class HostBook:
    """All hosts in lower case, as a few long texts, each host between two ends of line.

    Hosts are only added here: one that was deleted meanwhile is found, and no event names it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: list[tuple[str, Numbers, Numbers]] = []
        self._last = 0

    def having(self, connection: Connection, part: str, *, at_end: bool = False) -> Numbers:
        """The numbers of the hosts with a text in them, or at their end, whatever its case.

        Some may stand there several times.
        """
        newest = last_number(connection, "host")
        if newest > MOST:
            return np.array(
                numbers_where(connection, "host", contains(part, at_end=at_end)), np.int64
            )
        with self._lock:
            if newest > self._last:
                self._read(connection, newest)
            texts = list(self._texts)
        wanted = part.lower() + _END if at_end else part.lower()
        parts = [_found(*text, wanted) for text in texts]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _read(self, connection: Connection, newest: int) -> None:
        """Read what is new. Many small texts are joined to one, so that they stay few."""
        query = select(WORDS.c.id, WORDS.c.value).where(
            WORDS.c.kind == "host", WORDS.c.id > self._last, WORDS.c.id <= newest
        )
        rows = connection.execute(query.order_by(WORDS.c.id)).all()
        self._last = newest
        lowered = [value.lower() for _, value in rows]
        numbers = np.fromiter((number for number, _ in rows), np.int64)
        lengths = np.fromiter((len(value) + 1 for value in lowered), np.int64)
        new = ("".join(value + _END for value in lowered), np.cumsum(lengths), numbers)
        self._texts.append(new)
        while len(self._texts) > 1 and len(self._texts[-2][0]) < 2 * len(self._texts[-1][0]):
            last, before = self._texts.pop(), self._texts.pop()
            self._texts.append(_joined(before, last))


def _joined(
    one: tuple[str, Numbers, Numbers], other: tuple[str, Numbers, Numbers]
) -> tuple[str, Numbers, Numbers]:
    ends = np.concatenate([one[1], other[1] + len(one[0])])
    return one[0] + other[0], ends, np.concatenate([one[2], other[2]])


def _found(text: str, ends: Numbers, numbers: Numbers, wanted: str) -> Numbers:
    """The numbers of the hosts in which the text stands, as often as it does."""
    lengths = np.fromiter(map(len, text.split(wanted)), np.int64)
    places = (np.cumsum(lengths + len(wanted)) - len(wanted))[:-1]
    found: Numbers = numbers[np.searchsorted(ends, places, "right")]
    return found
