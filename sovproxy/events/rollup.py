"""Counting uneventful connections in memory, until they are flushed as rollups.

What is counted between two flushes is lost when the process is killed; events never are.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from sovproxy.events.event import Rollup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sovproxy.decide.words import Action, Standing

MINUTE: Final = 60
HOUR: Final = 3600
MAX_KEYS: Final = 10_000
MAX_WAITING: Final = 20_000
"""Keys that wait for a disk that is full, of all buckets together; as many as the spool takes."""

OTHER: Final = "other"


class RollupKey(NamedTuple):
    """What is counted together, beside node and bucket."""

    group: str
    service: str
    control: tuple[str, ...]
    standing: Standing
    location: str
    asn: int
    action: Action
    rule: str
    decrypted: bool = False


class RollupCounter:
    """Counts per bucket and key; `count` is safe from several threads and costs about 1 µs.

    `seconds` is the length of a bucket, `MINUTE` or `HOUR`. At most `max_keys` different keys are
    kept per bucket; further ones are counted as `other`, apart by standing, action and whether they
    were decrypted only.
    """

    def __init__(
        self,
        node: str,
        seconds: int = MINUTE,
        max_keys: int = MAX_KEYS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._node = node
        self._seconds = seconds
        self._max_keys = max_keys
        self._clock = clock
        self._lock = threading.Lock()
        # A count is a list of one number: adding to it hashes the key once.
        self._buckets: dict[int, dict[RollupKey, list[int]]] = {}

    def count(self, key: RollupKey, number: int = 1) -> None:
        """Count one connection (or `number`) now."""
        self._add(int(self._clock()) // self._seconds, key, number)

    def _add(self, bucket: int, key: RollupKey, number: int) -> None:
        with self._lock:
            counts = self._buckets.get(bucket)
            if counts is None:
                counts = self._buckets[bucket] = {}
            cell = counts.get(key)
            if cell is None:
                wanted = key if len(counts) < self._max_keys else overflow_key(key)
                cell = counts.setdefault(wanted, [0])
            cell[0] += number

    def take(self) -> list[Rollup]:
        """Take everything counted so far and start again from nothing."""
        with self._lock:
            taken, self._buckets = self._buckets, {}
        return [
            rollup for bucket, counts in taken.items() for rollup in self._rollups(bucket, counts)
        ]

    def put_back(self, rollups: list[Rollup]) -> None:
        """Count again what could not be written; beyond `MAX_WAITING` keys as `other`."""
        with self._lock:
            room = MAX_WAITING - sum(map(len, self._buckets.values()))
        for number, rollup in enumerate(rollups):
            bucket, key = int(rollup.start.timestamp()) // self._seconds, key_of(rollup)
            self._add(bucket, key if number < room else overflow_key(key), rollup.count)

    def _rollups(self, bucket: int, counts: Mapping[RollupKey, list[int]]) -> list[Rollup]:
        start = datetime.fromtimestamp(bucket * self._seconds, UTC)
        return [
            Rollup(
                start=start, seconds=self._seconds, node=self._node, count=number, **key._asdict()
            )
            for key, (number,) in counts.items()
        ]


def key_of(rollup: Rollup) -> RollupKey:
    """Give back the key that a rollup was counted under."""
    return RollupKey(*(getattr(rollup, name) for name in RollupKey._fields))


def overflow_key(key: RollupKey) -> RollupKey:
    """Give the key under which a connection is counted when there are too many keys already."""
    return RollupKey(
        group=OTHER,
        service=OTHER,
        control=(),
        standing=key.standing,
        location="",
        asn=0,
        action=key.action,
        rule=OTHER,
        decrypted=key.decrypted,
    )
