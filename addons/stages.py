"""What a client connection is at, and how much of it is taken before it has got further.

mitmproxy reads from a client as long as the client sends, and keeps what it cannot use yet: a
request's head that never ends, or bytes that arrive while a name is being resolved. `Meter` stands
between the two and lets through what the stage of the connection permits.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.connection import Client, Server
    from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

MAX_PIECES = 2048
"""Pieces in which something may come that is read again with each piece: a ClientHello, a head."""


LINGER_SECONDS = 5.0
"""How long a client may take to read what it was told last."""


class Stage(Enum):
    """What a connection waits for.

    `REFUSED` gets an answer to whatever it says first. `IDLE` is before a request, `HEAD` within
    one's head. `DECIDING` is being judged; `CONNECTING` waits for the destination. `HELLO` is a
    tunnel in which nobody has said anything that is understood; `HANDSHAKE` is a TLS handshake
    with us. `BODY` is a request that we answer ourselves. `AWAITING` is a request that is whole and
    has no answer yet. In `OPEN`, bytes flow.
    """

    REFUSED = auto()
    IDLE = auto()
    HEAD = auto()
    DECIDING = auto()
    CONNECTING = auto()
    HELLO = auto()
    HANDSHAKE = auto()
    BODY = auto()
    AWAITING = auto()
    OPEN = auto()


@dataclass(slots=True, eq=False)
class Held:
    """One client connection that this node holds.

    `key` is what counts as its address. `taken` are the bytes read in this stage, in `pieces`.
    `answer` is sent to one that is refused. `before` is the stage to go back to once `server` is
    connected. `heading` counts what a destination sends before the head of its answer is whole;
    None when no answer is awaited. `tunnel` is true once bytes are relayed unread. `answered` is
    true while a request goes on that has its answer already. `relays` is true where TLS goes on to
    a server, `many` where several requests go on at once there, so that no stage is one's own.
    """

    client: Client
    handler: ProxyConnectionHandler
    key: str
    stage: Stage
    answer: bytes = b""
    since: float = field(default_factory=time.monotonic)
    taken: int = 0
    pieces: int = 0
    before: Stage = Stage.IDLE
    server: Server | None = None
    heading: int | None = None
    tunnel: bool = False
    relays: bool = False
    many: bool = False
    answered: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_plain_head(self) -> bool:
        """Whether what comes is a request's head that can be read as it is."""
        return self.stage is Stage.HEAD and not self.client.tls

    def enter(self, stage: Stage) -> None:
        """Go to a stage; its time and its bytes count from here."""
        self.stage, self.since = stage, time.monotonic()
        self.taken = self.pieces = 0
        self.moved.set()
        self.moved = asyncio.Event()

    def say(self, answer: bytes) -> None:
        """Write to the client as it is, past mitmproxy's layers."""
        transport = self.handler.transports.get(self.client)
        if transport and isinstance(transport.writer, asyncio.StreamWriter):
            transport.writer.write(answer)

    def end(self) -> None:
        """Close the connection, once what was said is sent, or has been waited for.

        The socket is closed here: a handler that is ended between two reads leaves it open.
        """
        transport = self.handler.transports.get(self.client)
        if transport and isinstance(transport.writer, asyncio.StreamWriter):
            transport.writer.close()
            loop = asyncio.get_running_loop()
            loop.call_later(LINGER_SECONDS, transport.writer.transport.abort)
        if transport and transport.handler:
            transport.handler.cancel("a limit is reached")

    def give_up(self) -> None:
        """Wait for the destination no longer: the client is told so."""
        transport = self.handler.transports.get(self.server) if self.server else None
        if transport and transport.handler and transport.writer is None:
            transport.handler.cancel("a limit is reached")


class Meter:
    """Reads from a client in place of mitmproxy's reader, within `most` bytes of its stage.

    A client that sends more is not read from until it has got further, and `waits` is called once;
    but one whose head is too large is ended by `over`. The time in each stage has a limit too.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        held: Held,
        most: Callable[[Held], int | None],
        waits: Callable[[Held], None],
        over: Callable[[Held], None],
    ) -> None:
        self._reader, self._held = reader, held
        self._most, self._waits, self._over = most, waits, over
        self._tail = b""

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes; nothing at the end."""
        held = self._held
        while self._is_over():
            if held.is_plain_head:
                self._over(held)
                return b""
            self._waits(held)
            await held.moved.wait()
        data = await self._reader.read(size)
        if held.stage is Stage.REFUSED and data:
            held.say(held.answer)
            return b""
        if data:
            self._note(data)
        return data

    def _note(self, data: bytes) -> None:
        held = self._held
        if held.stage is Stage.IDLE:
            held.enter(Stage.HEAD)
        held.taken += len(data)
        held.pieces += 1
        if held.is_plain_head and self._ends_head(data):
            held.enter(Stage.DECIDING)

    def _ends_head(self, data: bytes) -> bool:
        """Whether a blank line is in it: what follows is no longer the head."""
        first = self._held.pieces == 1
        seen = data if first else self._tail + data
        self._tail = seen[-3:]
        return b"\n\r\n" in seen or b"\n\n" in seen

    def _is_over(self) -> bool:
        most = self._most(self._held)
        return most is not None and (self._held.taken > most or self._held.pieces > MAX_PIECES)


class AnswerMeter:
    """Reads from a destination in place of mitmproxy's reader.

    An answer's head that is larger than `most` is where the connection ends; `over` is called then.
    The bound is loose: bytes of a body count until mitmproxy has told that the head was whole.
    """

    def __init__(
        self, reader: asyncio.StreamReader, held: Held, most: int, over: Callable[[], None]
    ) -> None:
        self._reader, self._held = reader, held
        self._most, self._over = most, over

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes; nothing at the end."""
        data = await self._reader.read(size)
        if self._held.heading is None:
            return data
        self._held.heading += len(data)
        if self._held.heading <= self._most:
            return data
        self._over()
        return b""
