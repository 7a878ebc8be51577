"""What the workers of a node have asked for: learned from the API, briefly, to be shown to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sovproxy.fleet.link import Unreachable
from sovproxy.fleet.messages import MAX_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from sovproxy.fleet.messages import OwnRequest

ANSWER_SECONDS: Final = 0.4
"""How long somebody who waits for a page waits for the API's answer."""

REMEMBER_SECONDS: Final = 3.0
"""How long an answer is taken for the present state."""

QUIET_SECONDS: Final = 5.0
"""How long the API is not asked again after it did not answer in time: pages do not wait for it."""

MAX_AT_ONCE: Final = 16
"""Questions under way; whoever comes when there are as many is told nothing."""

MAX_CLIENTS: Final = 2_000
"""Clients whose requests are remembered, the latest to be asked about."""

MAX_PSEUDONYMS: Final = 50
"""Pseudonyms of a client that the API is asked about, the newest."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request is for: a service by its id, or a host. One of the two is empty."""

    service: str = ""
    host: str = ""

    @classmethod
    def of(cls, request: OwnRequest) -> Wish:
        """What this request is for."""
        return cls(request.service, request.host)


@dataclass(slots=True)
class OwnRequests:
    """Asks the API what clients have asked for. `inquire` puts the question.

    Nobody waits long for it, and nothing learned is never an error. To be used in one event loop.
    """

    inquire: Callable[[Sequence[str]], Future[list[OwnRequest]]]
    clock: Callable[[], float] = time.monotonic
    _learned: dict[str, tuple[float, list[OwnRequest]]] = field(default_factory=dict)
    _under_way: int = 0
    _quiet_until: float = 0.0

    async def newest(self, clients: Sequence[str], wish: Wish) -> OwnRequest | None:
        """The newest request of a client for this; None if there is none, or nothing is learned.

        `clients` are its pseudonyms, the newest last.
        """
        found = (one for one in await self._of(clients) if Wish.of(one) == wish)
        return next(found, None)

    def forget(self, client: str) -> None:
        """Ask anew about a client, by its newest pseudonym: it does something right now."""
        self._learned.pop(client, None)

    async def _of(self, clients: Sequence[str]) -> Sequence[OwnRequest]:
        now, client = self.clock(), clients[-1]
        at, known = self._learned.get(client, (now - REMEMBER_SECONDS, []))
        if now - at < REMEMBER_SECONDS:
            return known
        if now < self._quiet_until or self._under_way >= MAX_AT_ONCE:
            return ()
        self._under_way += 1
        try:
            answer = asyncio.wrap_future(self.inquire(clients[-MAX_PSEUDONYMS:]))
            found = await asyncio.wait_for(answer, ANSWER_SECONDS)
        except (Unreachable, TimeoutError):
            self._quiet_until = self.clock() + QUIET_SECONDS
            return ()
        finally:
            self._under_way -= 1
        self._remember(client, found[:MAX_REQUESTS])
        return found

    def _remember(self, client: str, found: list[OwnRequest]) -> None:
        """Keep an answer; what is too old is nobody's business any more."""
        now = self.clock()
        self._learned.pop(client, None)
        self._learned[client] = (now, found)
        for other, (at, _) in list(self._learned.items()):
            if now - at < REMEMBER_SECONDS and len(self._learned) <= MAX_CLIENTS:
                break  # they stand in the order of their time
            del self._learned[other]
