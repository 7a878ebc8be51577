"""What the node's hooks call: `record` an event durably, `count` an uneventful connection."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from sovproxy.events.rollup import RollupCounter
from sovproxy.events.segments import Stream
from sovproxy.events.spool import Spool, SpoolLimits, SpoolUnwritable

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from sovproxy.events.event import Event, Rollup

log = logging.getLogger(__name__)

FLUSH_SECONDS = 30.0


class Recorder:
    """Puts events on disk before an answer leaves, and counts the rest in memory.

    Counts are flushed every `flush_seconds` and on `close`; a kill loses those of one interval.
    """

    def __init__(
        self, spool: Spool, rollups: RollupCounter, flush_seconds: float = FLUSH_SECONDS
    ) -> None:
        self.spool = spool
        self.count = rollups.count
        self._rollups = rollups
        self._flush_seconds = flush_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sovproxy-rollups", daemon=True)
        self._thread.start()

    async def record(self, event: Event) -> None:
        """Return when the event is durable. Raises SpoolUnwritable: then it is not on record."""
        await asyncio.wrap_future(self.spool.submit(Stream.EVENTS, event.to_json()))

    def record_now(self, event: Event) -> None:
        """Do the same where nothing can be awaited; blocks for the time of one disk flush."""
        self.spool.append(Stream.EVENTS, event.to_json())

    def flush(self) -> None:
        """Write what was counted to the spool; what cannot be written stays counted in memory."""
        taken = self._rollups.take()
        futures = [(rollup, self._try_to_submit(rollup)) for rollup in taken]
        failed = [
            rollup for rollup, future in futures if future is None or future.exception() is not None
        ]
        if failed:
            log.warning("spool: %d rollups cannot be written now and stay in memory", len(failed))
            self._rollups.put_back(failed)

    def close(self) -> None:
        """Flush the counts and close the spool. Safe to call twice."""
        self._stop.set()
        self._thread.join()
        self.flush()
        self.spool.close()

    def _try_to_submit(self, rollup: Rollup) -> Future[None] | None:
        try:
            return self.spool.submit(Stream.ROLLUPS, rollup.to_json())
        except SpoolUnwritable:
            return None

    def _run(self) -> None:
        while not self._stop.wait(self._flush_seconds):
            self.flush()
            try:
                self.spool.enforce_limits()
            except OSError as error:
                log.warning("spool: its limits cannot be enforced: %s", error)


def open_recorder(
    folder: Path,
    node: str,
    limits: SpoolLimits | None = None,
    flush_seconds: float = FLUSH_SECONDS,
) -> Recorder:
    """Open the spool in `folder` for the node named `node`. Raises SpoolUnwritable."""
    return Recorder(Spool(folder, limits), RollupCounter(node), flush_seconds)
