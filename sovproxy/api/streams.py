"""The streams that are open: a bounded number, and all of them end when the server stops."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from sovproxy.api.problems import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from sovproxy.usecases.access.tokens import Principal

MAX_STREAMS: Final = 32
MAX_PER_TOKEN: Final = 4
RETRY_SECONDS: Final = 30


class Seat:
    """A place that is taken, until `leave`, or until nobody knows of it any more: an answer whose
    client has gone before it began is never run, only forgotten."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        """Give the place back, once."""
        leave, self._leave = self._leave, None
        if leave:
            leave()

    def __del__(self) -> None:
        self.leave()


class Streams:
    """Places for answers that go on for long: 32 in all, 4 of one token."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: list[str] = []
        self.closing = asyncio.Event()

    def enter(self, principal: Principal) -> Seat:
        """Take a place. Raises ApiProblem (429) if there is none."""
        with self._lock:
            own = self._tokens.count(principal.token_id)
            if len(self._tokens) >= MAX_STREAMS or own >= MAX_PER_TOKEN:
                detail = (
                    f"at most {MAX_STREAMS} streams and exports may be open, {MAX_PER_TOKEN} of "
                    "one token; close one or try again later"
                )
                headers = {"retry-after": str(RETRY_SECONDS)}
                raise ApiProblem(429, "too-many-streams", detail, headers)
            self._tokens.append(principal.token_id)
        return Seat(lambda: self._leave(principal))

    def _leave(self, principal: Principal) -> None:
        with self._lock:
            self._tokens.remove(principal.token_id)

    async def pause(self, seconds: float) -> bool:
        """Wait; True if the server stops, at once when it does."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)
        return self.closing.is_set()


@contextmanager
def closed_on_signals(streams: Streams) -> Iterator[None]:
    """End the streams when the process is told to stop.

    The server waits for open answers before it tells the app that it stops, so the signal has to
    be noticed here; whoever handled it before handles it still. Only the main thread has signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(streams.closing.set)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    wrapped = [number for number, previous in before.items() if callable(previous)]
    for number in wrapped:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number in wrapped:
            if signal.getsignal(number) is on_signal:
                signal.signal(number, before[number])
