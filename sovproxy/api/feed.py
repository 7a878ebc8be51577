"""Tells nodes what is in force as soon as it changes: one look at the store for all who wait.

Nodes ask and wait for an answer (long polling). While at least one waits, a single task looks at
the store four times a second, so that changes by other processes on the same store are seen too.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fastapi.concurrency import run_in_threadpool

from sovproxy.api.problems import ApiProblem
from sovproxy.fleet.messages import VERSION_PATTERN
from sovproxy.store.database import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.nodes.fleet import Fleet, Snapshot

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25
MAX_WAITING: Final = 5000
MAX_PER_TOKEN: Final = 100
RETRY_SECONDS: Final = 5
MAX_TOLD: Final = 64


class Feed:
    """The state of the fleet, and the nodes that wait for it to change."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._using = asyncio.Lock()
        self._tokens: list[str] = []
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._snapshot: Snapshot | None = None
        self._looked = float("-inf")
        self._told: dict[str, bytes] = {}

    async def use[T](self, work: Callable[[Fleet], T]) -> T:
        """Let one thread at a time work with the fleet's state."""
        async with self._using:
            return await run_in_threadpool(work, self._fleet)

    async def wait(
        self, principal: Principal, known: str, seconds: float, closing: asyncio.Event
    ) -> tuple[str, bytes] | None:
        """The version that a node reaches, and what it must be told, as JSON: when there is any.

        Who knows no version of ours is told everything. None after `seconds` without a change, and
        when the server is `closing`. Raises ApiProblem when too many wait, StoreUnavailable.
        """
        deadline = _now() + seconds
        known = known if re.fullmatch(VERSION_PATTERN, known) else ""
        with self._place(principal):
            while True:
                changed, snapshot = self._changed, await self._present(fresh=not seconds)
                if snapshot.version != known:
                    return snapshot.version, await self._tell(known, snapshot)
                rest = deadline - _now()
                if rest <= 0 or closing.is_set():
                    return None
                await _first_of(rest, changed, closing)

    async def _present(self, *, fresh: bool) -> Snapshot:
        """What is in force; for those who wait, as seen a quarter of a second ago at most."""
        if fresh or self._snapshot is None or _now() - self._looked > LOOK_SECONDS:
            await self._look()
        assert self._snapshot  # noqa: S101  # for the type checker
        return self._snapshot

    async def _look(self) -> None:
        at, seen = _now(), await self.use(lambda fleet: fleet.look())
        if self._snapshot is None or seen.version != self._snapshot.version:
            self._told.clear()
            self._changed.set()
            self._changed = asyncio.Event()
        self._snapshot, self._looked = seen, at

    async def _tell(self, known: str, snapshot: Snapshot) -> bytes:
        """What to tell; many nodes know the same version, so it is made once for all of them."""
        if known not in self._told:
            if len(self._told) >= MAX_TOLD:
                self._told.clear()
            state = await self.use(lambda fleet: fleet.state(known, snapshot))
            told = state.model_dump_json().encode()
            if snapshot is not self._snapshot:
                return told
            self._told[known] = told
        return self._told[known]

    @contextmanager
    def _place(self, principal: Principal) -> Iterator[None]:
        own = self._tokens.count(principal.token_id)
        if len(self._tokens) >= MAX_WAITING or own >= MAX_PER_TOKEN:
            detail = (
                f"{MAX_WAITING} nodes wait already, or {MAX_PER_TOKEN} with this token; give each "
                "node a token of its own"
            )
            raise ApiProblem(503, "too-many-waiting", detail, {"retry-after": str(RETRY_SECONDS)})
        self._tokens.append(principal.token_id)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._look_while_needed())
        try:
            yield
        finally:
            self._tokens.remove(principal.token_id)

    async def _look_while_needed(self) -> None:
        while self._tokens:
            try:
                await self._look()
            except StoreUnavailable as error:
                log.warning("fleet: the state cannot be read: %s", error)
            except Exception:
                log.exception("fleet: the state cannot be read")
            await asyncio.sleep(LOOK_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    """Return when one of the events is set, or the time is over."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
