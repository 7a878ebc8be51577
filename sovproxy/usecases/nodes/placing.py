"""Requests for exceptions on their way from a node to the API: each wish of a client once."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sovproxy.fleet.follower import EXCEPTION
from sovproxy.fleet.messages import OwnRequest
from sovproxy.fleet.outbox import MAX_MESSAGES, Message, OutboxFull
from sovproxy.usecases.nodes.own_requests import Wish

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from sovproxy.fleet.counters import Counters
    from sovproxy.fleet.follower import Follower
    from sovproxy.fleet.outbox import Outbox
    from sovproxy.fleet.quota import Quota

WAITING: Final = "waiting"


@dataclass(frozen=True, slots=True)
class Placed:
    """A request that is kept for the API. `answer` is what the API says to it, when it comes.

    `before` tells that this client asked for the same before, and that this is that request.
    """

    request: OwnRequest
    answer: Future[dict[str, Any]] | None
    before: bool = False


class AskedTooOften(OutboxFull):
    """This client has asked as often as it may within a day; in `seconds` it may ask again."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"this client has asked too often; it may again in {seconds:.0f} s")


class Placing:
    """Keeps requests in the outbox, as many of each client as `quota` lets.

    Only the API knows all requests; while it is away this is where the same one is known again.
    Safe to share between threads.
    """

    def __init__(
        self, outbox: Outbox, follower: Follower, quota: Quota, counters: Counters
    ) -> None:
        self._outbox = outbox
        self._follower = follower
        self._quota = quota
        self._counters = counters
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, Wish], OwnRequest] = {}
        for message in outbox.oldest(MAX_MESSAGES):
            if message.kind == EXCEPTION:
                with suppress(ValueError):  # of another version: the API knows what it is
                    known = _request(message.id, message.body, _made(message.id))
                    self._kept[str(message.body.get("client", "")), Wish.of(known)] = known

    def place(self, request_id: str, body: dict[str, Any], clients: Collection[str] = ()) -> Placed:
        """Keep a request, or give the one that waits here for the same client and wish.

        `clients` are further pseudonyms of the client. Raises AskedTooOften,
        OutboxFull, OSError.
        """
        client = str(body.get("client", ""))
        with self._lock:
            same = self._waiting({client, *clients}, _wish(body))
            if same:
                return Placed(same, self._follower.answer_to(str(same.id)), before=True)
            if seconds := self._quota.take(client, request_id):
                raise AskedTooOften(seconds)
            request = _request(request_id, body, datetime.now(UTC))
            answer = self._follower.send(Message(EXCEPTION, request_id, {"id": request_id, **body}))
            self._counters.requests += 1
            self._note(request, client)
            return Placed(request, answer)

    def waiting(self, clients: Collection[str], wish: Wish) -> OwnRequest | None:
        """The request of this client for this that waits here for the API."""
        with self._lock:
            return self._waiting(clients, wish)

    def _waiting(self, clients: Collection[str], wish: Wish) -> OwnRequest | None:
        found = (self._kept.get((client, wish)) for client in clients)
        now = datetime.now(UTC)
        waits = (one for one in found if one and str(one.id) in self._outbox and one.wanted > now)
        return next(waits, None)

    def _note(self, request: OwnRequest, client: str) -> None:
        """Remember what waits; what the API has taken is forgotten."""
        kept = {key: one for key, one in self._kept.items() if str(one.id) in self._outbox}
        self._kept = kept | {(client, Wish.of(request)): request}


def _request(request_id: str, body: dict[str, Any], asked: datetime) -> OwnRequest:
    """A request as its worker is told of it. Raises ValidationError."""
    wish = _wish(body)
    told = {"service": wish.service, "host": wish.host, "wanted": body.get("until")}
    return OwnRequest.model_validate({"id": request_id, "state": WAITING, "asked": asked} | told)


def _wish(body: dict[str, Any]) -> Wish:
    return Wish(str(body.get("service", "")), str(body.get("host", "")))


def _made(request_id: str) -> datetime:
    """When an id was made (a UUIDv7): its form was shown then, less than an hour before."""
    return datetime.fromtimestamp(int.from_bytes(UUID(request_id).bytes[:6]) / 1000, UTC)
