"""Follows the fleet: takes in what is in force, reports the node, posts what workers did.

One thread with an event loop of its own; the proxy never waits for it. The API may be away for
days: what is known stays in force, ends by the node's own clock, and what is to be told waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sovproxy.errors import SovproxyError
from sovproxy.fleet.kept import Known, save_known
from sovproxy.fleet.link import Busy, Link, Refused, Unreachable
from sovproxy.fleet.messages import MAX_POSTED, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from sovproxy.atlas.entries import Entries
    from sovproxy.fleet.messages import OwnRequest
    from sovproxy.fleet.outbox import Message, Outbox

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 10.0
SPREAD_SECONDS: Final = 1.0
"""Within how long nodes report, all together, that they have taken in a new state."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
QUIET_SECONDS: Final = 15.0
"""How long after the start it is no news that the API does not answer: it may be starting too."""

BUSY_SECONDS: Final = 30.0
"""How long messages wait that the API does not take now."""

ACKNOWLEDGEMENT: Final = "acknowledgement"
EXCEPTION: Final = "exception"
RESOLUTION: Final = "resolution"
TOGETHER: Final = "/api/v1/fleet/acknowledgements"
PATHS: Final = {
    EXCEPTION: "/api/v1/exceptions",
    RESOLUTION: "/api/v1/fleet/resolutions/{id}",
}
"""Where messages are posted one by one, by kind; acknowledgements go together."""


@dataclass(frozen=True, slots=True)
class NodeSide:
    """What the follower works with: the node's side of it. The functions run in its thread.

    `obey` puts in force what may be revoked. `lacks` tells whether entries of the catalogue must be
    fetched for a state, and `carry` puts them down, in another thread. `adopt` puts the rest of the
    state in force. `report` says how the node is, `tidy` is called with every heartbeat.
    """

    link: Callable[[], Link]
    outbox: Outbox
    state_file: Path
    obey: Callable[[Known], None]
    lacks: Callable[[Known], bool]
    carry: Callable[[Entries], None]
    adopt: Callable[[Known], None]
    report: Callable[[], Heartbeat]
    tidy: Callable[[], None]


REFUSED: Final = "refused"
"""In the answer to a message: the API will not have it, now or later; and why."""


class Follower:
    """Keeps the node and the API in step, in a thread of its own."""

    def __init__(
        self, side: NodeSide, known: Known, clock: Callable[[], float] = time.time
    ) -> None:
        self.known = known
        self.failures = 0
        """Attempts to reach the API that failed since the start."""
        self._warned = False
        self._quiet_until = 0.0
        self._side = side
        self._clock = clock
        self._answers: dict[str, Future[dict[str, Any]]] = {}
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._link: Link | None = None
        self._thread = threading.Thread(target=self._run, name="sovproxy-fleet", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """End; what is not posted stays in the outbox."""
        if self._thread.is_alive():
            self._call(self._stop.set)
            self._thread.join(timeout)

    def send(self, message: Message) -> Future[dict[str, Any]]:
        """Keep a message until the API has taken it; the future has the API's answer by then.

        Raises OutboxFull, OSError.
        """
        answer: Future[dict[str, Any]] = Future()
        self._answers[message.id] = answer
        try:
            self._side.outbox.put(message)
        except BaseException:
            del self._answers[message.id]
            raise
        self._call(self._wake.set)
        return answer

    def answer_to(self, message_id: str) -> Future[dict[str, Any]] | None:
        """The API's answer to a message that was kept since the start and waits still."""
        return self._answers.get(message_id)

    def requests(self, clients: Sequence[str]) -> Future[list[OwnRequest]]:
        """What one client asked for under these pseudonyms; the future may raise Unreachable."""
        link = self._link
        if link is None:
            nothing: Future[list[OwnRequest]] = Future()
            nothing.set_exception(Unreachable("the API is not followed"))
            return nothing
        return asyncio.run_coroutine_threadsafe(link.requests(clients), self._loop)

    def _call(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._live())
        except Exception:
            log.exception("fleet: following has ended; what was in force stays in force")
        finally:
            self._loop.close()

    async def _live(self) -> None:
        async with self._side.link() as link:
            self._link = link
            parts = (self._follow(link), self._beat(link), self._post_all(link))
            tasks = [asyncio.ensure_future(part) for part in parts]
            await self._stop.wait()
            self._link = None
            tasks.extend(asyncio.all_tasks() - {asyncio.current_task(), *tasks})  # who asks
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- what is in force -----------------------------------------------------------------------

    async def _follow(self, link: Link) -> None:
        pause = FIRST_PAUSE
        while True:
            if await self._attempt("following", lambda: self._follow_once(link)):
                pause = FIRST_PAUSE
            else:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads nodes
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _follow_once(self, link: Link) -> None:
        # What is lost here is asked for as by a node that knows nothing.
        version = "" if self._side.lacks(self.known) else self.known.version
        state = await link.state(version)
        if state is None:
            return
        if state.common is None and not _continues(self.known.version, state.version):
            raise Unreachable("the API answered with a part of a state that is not known here")
        known = self.known.after(state, self._clock())
        self._side.obey(known)
        if known.common.catalogue and self._side.lacks(known):
            entries = await link.catalogue(known.common.catalogue)
            await asyncio.to_thread(self._side.carry, entries)
        self._side.adopt(known)
        self.known = known
        save_known(self._side.state_file, known)
        if state.common:
            self._changed.set()

    # -- what the node tells --------------------------------------------------------------------

    async def _beat(self, link: Link) -> None:
        while True:
            self._changed.clear()
            await self._attempt("reporting", lambda: self._beat_once(link))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), BEAT_SECONDS)
                await asyncio.sleep(random.uniform(0, SPREAD_SECONDS))  # noqa: S311  # spreads nodes

    async def _beat_once(self, link: Link) -> None:
        self._side.tidy()
        report = self._side.report().model_dump(mode="json")
        await link.post("/api/v1/fleet/heartbeat", report)

    async def _post_all(self, link: Link) -> None:
        pause = FIRST_PAUSE
        while True:
            self._wake.clear()
            done = await self._attempt("posting", lambda: self._post_waiting(link))
            if done:
                pause = FIRST_PAUSE
                seconds = BUSY_SECONDS if len(self._side.outbox) else None
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), seconds)
            else:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads nodes
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _post_waiting(self, link: Link) -> None:
        """Post what waits, oldest first; what the API does not take now stays for later."""
        busy: set[str] = set()
        outbox = self._side.outbox
        while waiting := [
            one for one in outbox.oldest(MAX_POSTED + len(busy)) if one.id not in busy
        ]:
            together = [one for one in waiting if one.kind == ACKNOWLEDGEMENT][:MAX_POSTED]
            if together:
                body = {"acknowledgements": [one.body for one in together]}
                busy |= await self._post(link, TOGETHER, body, together)
            for one in waiting:
                if one.kind in PATHS:
                    path = PATHS[one.kind].format(id=one.about)
                    busy |= await self._post(link, path, one.body, [one])
                elif one.kind != ACKNOWLEDGEMENT:
                    outbox.done(one)  # of a later version: nobody here knows where it belongs

    async def _post(
        self, link: Link, path: str, body: dict[str, Any], messages: list[Message]
    ) -> set[str]:
        """Post messages, and give the ids of those that must wait. Raises Unreachable, OSError."""
        try:
            answer = await link.post(path, body)
        except Busy as error:
            log.warning("fleet: %s; it is tried again later", error)
            return {one.id for one in messages}
        except Refused as error:
            log.error("fleet: the API refuses what the node tells: %s", error)  # noqa: TRY400  # no trace is needed
            answer = {REFUSED: str(error)}
        for one in messages:
            self._side.outbox.done(one)
            waiting = self._answers.pop(one.id, None)
            if waiting:
                with suppress(InvalidStateError):  # nobody waits for it any more
                    waiting.set_result(answer)
        return set()

    async def _attempt(self, what: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do something that may fail; the first failure is logged, once the start is over."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # it must go on whatever happens
            self.failures += 1
            expected = isinstance(error, SovproxyError)
            if not expected or not (self._warned or time.monotonic() < self._quiet_until):
                self._warned = self._warned or expected
                log.warning("fleet: %s fails, what is known stays in force: %s", what, error)
            return False
        return True


def _continues(known: str, given: str) -> bool:
    return bool(known) and known.partition(".")[0] == given.partition(".")[0]
