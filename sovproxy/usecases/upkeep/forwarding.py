"""Forwarding: every event that arrives goes on to each receiver, in order, at least once.

A receiver has a thread of its own and a durable position: the arrival up to which it surely has
everything. Positions move only behind what has arrived there, so whatever is killed, and whenever,
some events may be sent twice and none is left out. What is too slow holds up only itself: one batch
is in memory, the rest waits in the store.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from sovproxy.errors import SovproxyError
from sovproxy.events.forward_file import FileSink
from sovproxy.events.forward_messages import trial_message, writer_for
from sovproxy.events.forward_syslog import SyslogSink
from sovproxy.events.text import clean_text
from sovproxy.receivers import Begin, FileReceiver
from sovproxy.store.filters import Filter
from sovproxy.store.queries import last_arrival, numbered_arrivals
from sovproxy.store.times import microseconds
from sovproxy.store.upkeep import forward_position, save_forward_position

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sovproxy.events.event import Event
    from sovproxy.receivers import SyslogReceiver
    from sovproxy.store.database import Store

log = logging.getLogger(__name__)

BATCH: Final = 500
POLL_SECONDS: Final = 0.5
SAVE_SECONDS: Final = 0.5
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
TEST_SECONDS: Final = 5.0
_JOIN_SECONDS: Final = 5.0


class NoSuchReceiver(SovproxyError):
    """There is no receiver of this name in the settings."""


class NotDelivered(SovproxyError):
    """The test message could not be sent; the text says why."""


class Sink(Protocol):
    """Where bytes go. All but `close` and `sent` raise OSError when the receiver is lost."""

    @property
    def settle_seconds(self) -> float:
        """How long what has arrived must have stayed, before it counts as held there."""
        ...

    def send(self, data: bytes) -> None:
        """Send all of it; wait as long as that takes."""
        ...

    def sent(self) -> int:
        """How many bytes were sent."""
        ...

    def arrived(self) -> int:
        """How many of them are there, at least."""
        ...

    def check(self) -> None:
        """Notice that the receiver has gone."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


@dataclass(frozen=True, slots=True)
class ReceiverState:
    """How a receiver is doing. `position` and `newest` number arrivals; None before the start.

    `sent` and `failures` count since this process began, repeated events each time. `problem` is
    empty, or says what is wrong now.
    """

    connected: bool = False
    problem: str = ""
    position: int | None = None
    newest: int = 0
    sent: int = 0
    failures: int = 0
    last_sent: datetime | None = None

    @property
    def behind(self) -> int:
        """How many arrivals it lacks, at most."""
        return max(0, self.newest - self.position) if self.position is not None else 0


@dataclass(slots=True)
class _Journey:
    """What was sent over one connection and is not settled: up to which arrival, after which byte,
    and when."""

    position: int
    under_way: deque[tuple[int, int, float]] = field(default_factory=deque)

    def settle(self, arrived: int, before: float) -> None:
        """Move the position behind what has arrived and has stayed."""
        while self.under_way:
            seq, byte, when = self.under_way[0]
            if byte > arrived or when > before:
                break
            self.under_way.popleft()
            self.position = seq


class Forwarder:
    """Keeps one receiver up to date, in a thread of its own."""

    def __init__(self, store: Store, receiver: SyslogReceiver | FileReceiver, node: str) -> None:
        self.receiver = receiver
        self.state = ReceiverState()
        self._store = store
        self._node = node
        self._write = writer_for(receiver)
        self._wanted = Filter(action=receiver.action)
        self._saved: int | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread."""
        name = f"forward {self.receiver.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End soon; what is on its way has a few seconds to settle."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until it has ended, for some seconds at most."""
        if self._thread:
            self._thread.join(_JOIN_SECONDS)

    def send_test(self) -> None:
        """Send a message that says that it is a test. Raises NotDelivered."""
        message = trial_message(self.receiver, self._node, datetime.now(UTC))
        until = time.monotonic() + TEST_SECONDS
        try:
            sink = _open_sink(self.receiver, self._stopping.is_set, alone=False)
            with closing(sink):
                sink.send(message)
                while sink.arrived() < sink.sent():
                    if time.monotonic() > until:
                        raise TimeoutError("it has not confirmed the message")
                    time.sleep(0.02)
                time.sleep(min(0.2, sink.settle_seconds))
                sink.check()
        except OSError as error:
            raise NotDelivered(self._sentence(error)) from error

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            sent = self.state.sent
            error = self._try()
            if error is None:
                return
            pause = FIRST_PAUSE if self.state.sent > sent else min(pause * 2, LONGEST_PAUSE)
            self._failed(error, pause)
            self._stopping.wait(pause)

    def _try(self) -> Exception | None:
        """Forward until told to stop; give what went wrong before."""
        try:
            self._forward()
        except (OSError, SovproxyError) as error:
            return error
        except Exception:
            log.exception("forward: %s", self.receiver.name)
            return OSError("sovproxy made a mistake; its log says more")
        return None

    def _failed(self, error: Exception, pause: float) -> None:
        problem = self._sentence(error)
        if problem != self.state.problem:
            log.warning("forward: %s; next attempt in %.1f s", problem, pause)
        self._change(connected=False, problem=problem, failures=self.state.failures + 1)
        self._note_newest()

    def _sentence(self, error: Exception) -> str:
        where = f"{self.receiver.name}: {self.receiver.where}"
        reason = str(error.strerror) if isinstance(error, OSError) and error.strerror else error
        return clean_text(f"{where} cannot be forwarded to: {reason}", 500)

    def _forward(self) -> None:
        """Forward over one connection, until told to stop. Raises OSError, StoreUnavailable."""
        journey = _Journey(self._begin())
        with closing(_open_sink(self.receiver, self._stopping.is_set)) as sink:
            self._change(connected=True, problem="")
            try:
                self._pump(sink, journey)
            finally:
                with suppress(SovproxyError):  # the old position repeats some events, no more
                    self._save(journey.position)

    def _pump(self, sink: Sink, journey: _Journey) -> None:
        seen, saved = journey.position, time.monotonic()
        while not self._stopping.is_set():
            before, (arrivals, seen) = seen, self._arrivals(seen)
            if arrivals:
                sink.send(b"".join(self._write(seq, event) for seq, event in arrivals))
                self._sent(len(arrivals))
            if seen != before:
                journey.under_way.append((seen, sink.sent(), time.monotonic()))
            now = time.monotonic()
            journey.settle(sink.arrived(), now - sink.settle_seconds)
            if now - saved >= SAVE_SECONDS:
                self._save(journey.position)
                saved = now
            if not arrivals:
                self._stopping.wait(POLL_SECONDS)
        self._last_settle(sink, journey)

    def _last_settle(self, sink: Sink, journey: _Journey) -> None:
        """Give what was sent last the time to arrive, so that it is not repeated next time."""
        until = time.monotonic() + sink.settle_seconds
        while journey.under_way and time.monotonic() < until:
            time.sleep(0.05)
        journey.settle(sink.arrived(), time.monotonic())

    def _arrivals(self, seen: int) -> tuple[Sequence[tuple[int, Event]], int]:
        arrivals, upto = numbered_arrivals(self._store, self._wanted, seen, BATCH)
        newest = upto if len(arrivals) < BATCH else last_arrival(self._store)
        self._change(newest=newest)
        return arrivals, upto

    def _begin(self) -> int:
        """Where to go on. A table that was emptied by retention counts its arrivals anew."""
        newest, position = last_arrival(self._store), forward_position(self._store, self._name)
        self._saved = position
        if position is None:
            position = newest if self.receiver.begin is Begin.NOW else 0
        if position > newest:
            position = 0
        self._save(position)
        self._change(position=position, newest=newest)
        return position

    @property
    def _name(self) -> str:
        return self.receiver.name

    def _save(self, position: int) -> None:
        if position != self._saved:
            now = microseconds(datetime.now(UTC))
            save_forward_position(self._store, self._name, position, now)
            self._saved = position
        self._change(position=position)

    def _note_newest(self) -> None:
        """The lag grows while the receiver is away; a lost store has its own problem."""
        try:
            self._change(newest=last_arrival(self._store))
        except SovproxyError:
            log.debug("forward: %s: the store is away too", self._name)

    def _sent(self, number: int) -> None:
        self._change(sent=self.state.sent + number, last_sent=datetime.now(UTC))

    def _change(self, **values: object) -> None:
        """Only this thread changes the state; readers get it whole."""
        self.state = replace(self.state, **values)  # type: ignore[arg-type]


class Forwarding:
    """All receivers of one process."""

    def __init__(self, forwarders: Sequence[Forwarder] = ()) -> None:
        self._forwarders = {item.receiver.name: item for item in forwarders}

    @classmethod
    def of(
        cls, store: Store, receivers: Sequence[SyslogReceiver | FileReceiver], node: str
    ) -> Forwarding:
        """Make one forwarder per receiver; none has begun."""
        return cls([Forwarder(store, receiver, node) for receiver in receivers])

    def start(self) -> None:
        """Begin with all of them."""
        for item in self._forwarders.values():
            item.start()

    def stop(self) -> None:
        """End all of them, together."""
        for item in self._forwarders.values():
            item.stop()
        for item in self._forwarders.values():
            item.join()

    def states(self) -> list[tuple[SyslogReceiver | FileReceiver, ReceiverState]]:
        """The receivers in the order of the settings, and how they are doing."""
        return [(item.receiver, item.state) for item in self._forwarders.values()]

    def find(self, name: str) -> Forwarder:
        """The forwarder of a receiver. Raises NoSuchReceiver."""
        try:
            return self._forwarders[name]
        except KeyError:
            shown = clean_text(name, 60)
            raise NoSuchReceiver(f"there is no receiver {shown} in the settings") from None


def _open_sink(
    receiver: SyslogReceiver | FileReceiver, stopping: Callable[[], bool], *, alone: bool = True
) -> Sink:
    if isinstance(receiver, FileReceiver):
        return FileSink(receiver, alone=alone)
    return SyslogSink(receiver, stopping)
