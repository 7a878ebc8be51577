"""Limits on what clients may take: hooks around the gate's, so that the gate need not know.

`Limits` stands before the gate, and turns away what is over a limit. `Progress` stands after it,
and notes how far each connection has got. Every second, what is overdue is ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from mitmproxy import ctx, http
from mitmproxy.proxy.layers import ClientTLSLayer, HttpLayer, ServerTLSLayer, TCPLayer

from sovproxy.limits import NODE_LIMITS, network
from sovproxy.usecases.upkeep.resources import (
    give_back_memory,
    memory_ceiling,
    raise_file_limit,
    resident_bytes,
)

from . import answers, layers
from .admission import REASONS, Admission, refusal
from .session import is_transparent
from .stages import AnswerMeter, Held, Meter, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mitmproxy import connection, tls
    from mitmproxy.proxy.layer import NextLayer
    from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData

    from sovproxy import limits
    from sovproxy.fleet.counters import Counters

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 1.0
REFUSED_SECONDS: Final = 2.0
"""How long one that is refused may take to ask, so that it can read why."""

MOST_REFUSED: Final = 256
"""Refused connections that are told why at a time; further ones are closed at once."""

GIVE_BACK_SECONDS: Final = 10.0
"""How often at most garbage is collected for want of memory: nothing else is done meanwhile."""

QUIET_SECONDS: Final = 60.0
"""How often at most the log says that a limit is reached."""

AHEAD: Final = 64 * 1024
"""Bytes that are read of a client which has to wait; it is read no further until its turn."""

SLACK: Final = 16 * 1024
"""Bytes that come with a body beyond itself, such as chunks' lengths or TLS records."""

SECONDS: Final = {
    Stage.HEAD: "head_seconds",
    Stage.DECIDING: "connect_seconds",
    Stage.CONNECTING: "connect_seconds",
    Stage.HELLO: "hello_seconds",
    Stage.HANDSHAKE: "handshake_seconds",
    Stage.BODY: "body_seconds",
}
"""The limit on the time that a connection may be in a stage."""

BYTES: Final = {
    Stage.HEAD: "head_bytes",
    Stage.HELLO: "hello_bytes",
    Stage.HANDSHAKE: "hello_bytes",
}
"""The limit on what may be read of a client in a stage."""


class Limits:
    """Holds every client connection, from before it is judged until it ends."""

    def __init__(self, settings: limits.Limits, counters: Counters) -> None:
        self.settings = settings
        self.held: dict[str, Held] = {}
        self.handshakes = 0
        self._counters = counters
        counters.limits.update(dict.fromkeys(NODE_LIMITS, 0))
        self._full = False
        self._gave_back = -GIVE_BACK_SECONDS
        self._ceiling = memory_ceiling(settings.memory_mib)
        self._admission = Admission(settings, raise_file_limit(), lambda: self._full)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._deciding: set[Held] = set()
        self._told: dict[str, float] = {}
        self._refused = 0
        self._sweeping: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------

    def load(self, _loader: object) -> None:
        """Set how long connections may be silent, and say what cannot be held."""
        ctx.options.update(tcp_timeout=self.settings.idle_seconds)
        if self._admission.most < self.settings.connections:
            log.warning(
                "limits: %d connections instead of %d, for want of open files (ulimit -n)",
                self._admission.most,
                self.settings.connections,
            )

    def running(self) -> None:
        """Begin to look for what is overdue."""
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    def done(self) -> None:
        """End."""
        if self._sweeping:
            self._sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                self._look_at_memory()
                self._end_overdue(time.monotonic())
            except Exception:
                log.exception("limits: looking for what is overdue failed")

    def _look_at_memory(self) -> None:
        full = 0 < self._ceiling < resident_bytes()
        now = time.monotonic()
        if full and now - self._gave_back >= GIVE_BACK_SECONDS:
            self._gave_back = now
            give_back_memory()
            full = self._ceiling < resident_bytes()
        if full != self._full:
            log.warning(
                "limits: new connections are %s, for memory", "refused" if full else "taken"
            )
        self._full = full

    def _end_overdue(self, now: float) -> None:
        for held in list(self.held.values()):
            if held.stage is Stage.REFUSED and now - held.since > REFUSED_SECONDS:
                held.end()
            name = SECONDS.get(held.stage)
            if name and now - held.since > getattr(self.settings, name):
                self._over(held, name)

    # -- before the gate ----------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        """Let a client in, or tell it which limit it is over."""
        handler = _handler(client)
        reader = handler.transports[client].reader if handler else None
        if handler is None or not isinstance(reader, asyncio.StreamReader):
            return
        transparent = is_transparent(client)
        first = Stage.HELLO if transparent else Stage.HEAD
        held = Held(client, handler, network(client.peername[0]), first)
        if limit := self._admission.take(held.key):
            self._count(limit)
            if transparent or self._refused >= MOST_REFUSED:
                client.error = f"limit {limit} is reached"
                return
            self._refused += 1
            held.stage, held.answer = Stage.REFUSED, refusal(limit).message
        self.held[client.id] = held
        meter = Meter(reader, held, self._most, self._waits, self._too_much)
        handler.transports[client].reader = meter  # type: ignore[assignment]  # it reads like one
        handler.timeout_watchdog.callback = self._noted(handler.timeout_watchdog.callback)

    def client_disconnected(self, client: connection.Client) -> None:
        """Count it out."""
        held = self.held.pop(client.id, None)
        if held is None:
            return
        if held.stage is Stage.REFUSED:
            self._refused -= 1
            return
        self.enter(held, Stage.IDLE)
        self._admission.leave(held.key)
        if not self._admission.has(held.key):
            self._turns.pop(held.key, None)

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """Refuse a head that is too large; let the client wait for its turn to be judged."""
        if not self._refuse_head(flow):
            await self._wait_for_turn(flow.client_conn)

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Refuse a head that is too large; let the client wait for its turn to be judged."""
        if not self._refuse_head(flow):
            await self._wait_for_turn(flow.client_conn)

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Note that the destination is being connected to."""
        if held := self.held.get(data.client.id):
            held.before, held.server = held.stage, data.server
            self.enter(held, Stage.CONNECTING)

    def _refuse_head(self, flow: http.HTTPFlow) -> bool:
        fields = flow.request.headers.fields
        size = len(flow.request.data.path) + len(flow.request.data.authority)
        size += sum(len(name) + len(value) + 4 for name, value in fields)
        limit = "head_lines" if len(fields) > self.settings.head_lines else ""
        if size > self.settings.head_bytes:
            limit = "head_bytes"
        if limit:
            self._count(limit)
            told = refusal(limit)
            flow.response = answers.make(told.status, told.body, told.fields)
        return bool(limit)

    async def _wait_for_turn(self, client: connection.Client) -> None:
        """Hold back one who has many names resolved at once: resolving takes a thread for each."""
        held = self.held.get(client.id)
        if held is None:
            return
        turns = self._turns.setdefault(held.key, asyncio.Semaphore(self.settings.client_deciding))
        self.enter(held, Stage.DECIDING)
        if turns.locked():
            self._count("client_deciding")
        await turns.acquire()
        if held.stage is Stage.DECIDING and client.id in self.held:
            self._deciding.add(held)
        else:
            turns.release()  # it has left meanwhile

    # -- what hooks share ---------------------------------------------------------------------

    def enter(self, held: Held, stage: Stage) -> None:
        """Take a connection to a stage, and give back what it held in the one before.

        Where several requests go on at once, and pass, the stage of one is not the connection's.
        """
        if held.many:
            stage = Stage.OPEN
        if held in self._deciding:
            self._deciding.discard(held)
            self._turns[held.key].release()
        self.handshakes += (stage is Stage.HANDSHAKE) - (held.stage is Stage.HANDSHAKE)
        held.enter(stage)

    def bound_answers(self, held: Held, server: connection.Server) -> None:
        """Read from a destination no more of an answer's head than the limit."""
        transport = held.handler.transports.get(server)
        if transport and isinstance(transport.reader, asyncio.StreamReader):
            most = self.settings.answer_head_bytes
            meter = AnswerMeter(
                transport.reader, held, most, lambda: self._count("answer_head_bytes")
            )
            transport.reader = meter  # type: ignore[assignment]  # it reads like one

    def refuses_handshake(self) -> bool:
        """Whether there are as many TLS handshakes in flight as there may be; counted if so."""
        full = self.handshakes >= self.settings.handshakes
        if full:
            self._count("handshakes")
        return full

    def _most(self, held: Held) -> int | None:
        if held.stage is Stage.OPEN:
            return None
        if held.stage is Stage.BODY:
            return answers.MAX_BODY + SLACK
        name = BYTES.get(held.stage)
        return int(getattr(self.settings, name)) if name else AHEAD

    def _waits(self, held: Held) -> None:
        if name := BYTES.get(held.stage):
            self._count(name)

    def _too_much(self, held: Held) -> None:
        self._over(held, "head_bytes")

    def _over(self, held: Held, limit: str) -> None:
        """End a connection that is over a limit, and say so where its client would read it."""
        self._count(limit)
        if held.is_plain_head and held.taken and limit in REASONS:
            held.say(refusal(limit).message)
        end = held.give_up if held.stage is Stage.CONNECTING else held.end
        asyncio.get_running_loop().call_soon(end)

    def _noted(self, timed_out: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def counted() -> None:
            self._count("idle_seconds")
            await timed_out()

        return counted

    def _count(self, limit: str) -> None:
        """Count it; say so in the log from time to time, and never who it was."""
        self._counters.limits[limit] += 1
        now = time.monotonic()
        if now - self._told.get(limit, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._told[limit] = now
            log.warning("limits: %s is reached (%s)", limit, getattr(self.settings, limit))


class Progress:
    """Notes how far connections have got once the gate has dealt with them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def next_layer(self, data: NextLayer) -> None:
        """Note what the gate has chosen; no handshake is begun above the limit."""
        held = self._limits.held.get(data.context.client.id)
        if held is None:
            return
        if isinstance(data.layer, TCPLayer):
            held.tunnel = True
            self._limits.enter(held, Stage.OPEN)
        elif isinstance(data.layer, ClientTLSLayer | ServerTLSLayer):
            held.relays = isinstance(data.layer, ServerTLSLayer)
            if self._limits.refuses_handshake():
                data.layer = layers.Refuse(data.context)
            else:
                self._limits.enter(held, Stage.HANDSHAKE)
        elif isinstance(data.layer, HttpLayer):
            self._limits.enter(held, Stage.HEAD)

    def tls_established_client(self, data: tls.TlsData) -> None:
        """Note that a handshake is done."""
        client = data.context.client
        held = self._limits.held.get(client.id)
        if held:
            held.many = held.relays and client.alpn == b"h2"
            self._limits.enter(held, Stage.HEAD)

    def http_connected(self, flow: http.HTTPFlow) -> None:
        """Note that a tunnel is there, in which nobody has said anything."""
        self._enter(flow.client_conn, Stage.HELLO)

    def http_connect_error(self, flow: http.HTTPFlow) -> None:
        """Note that a CONNECT led nowhere."""
        self._enter(flow.client_conn, Stage.IDLE)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Note whether a request's body is for us or for its destination, which is to answer."""
        self._enter(flow.client_conn, Stage.OPEN if flow.request.stream else Stage.BODY)
        held = self._limits.held.get(flow.client_conn.id)
        if held and flow.request.stream and not flow.request.is_http2:
            held.heading = 0  # several answers at once, as in HTTP/2, are bounded by its library

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Note that the head of an answer is whole."""
        if held := self._limits.held.get(flow.client_conn.id):
            held.heading = None

    def request(self, flow: http.HTTPFlow) -> None:
        """Note that a request is whole."""
        held = self._limits.held.get(flow.client_conn.id)
        if held:
            self._limits.enter(held, Stage.IDLE if held.answered else Stage.AWAITING)
            held.answered = False

    def response(self, flow: http.HTTPFlow) -> None:
        """Note that a request has its answer; an upgraded connection goes on as a tunnel."""
        held = self._limits.held.get(flow.client_conn.id)
        if held is None:
            return
        if flow.response and flow.response.status_code == 101:
            held.tunnel = True
            self._limits.enter(held, Stage.OPEN)
        elif held.stage is Stage.OPEN:
            held.answered = True  # the body of the request is still under way
        else:
            self._limits.enter(held, Stage.IDLE)

    def error(self, flow: http.HTTPFlow) -> None:
        """Note that a request came to nothing."""
        self._enter(flow.client_conn, Stage.IDLE)
        self.responseheaders(flow)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        """Bound what comes from the destination, and go on as before it was connected to."""
        if held := self._limits.held.get(data.client.id):
            self._limits.bound_answers(held, data.server)
        self._go_on(data)

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        """Go on as before the destination was connected to."""
        self._go_on(data)

    def _go_on(self, data: ServerConnectionHookData) -> None:
        held = self._limits.held.get(data.client.id)
        if held and held.stage is Stage.CONNECTING:
            self._limits.enter(held, held.before)

    def _enter(self, client: connection.Client, stage: Stage) -> None:
        held = self._limits.held.get(client.id)
        if held:
            self._limits.enter(held, stage)


def _handler(client: connection.Client) -> ProxyConnectionHandler | None:
    """mitmproxy's own handler of a connection."""
    found: dict[object, ProxyConnectionHandler] = ctx.master.addons.get("proxyserver").connections
    return found.get(client.id)
