"""Looks again at what is open, because permissions end and policies change.

A tunnel may live for days. When the policy in force, a phase of it, an acknowledgement or an
exception lets it pass no longer, the worker gets a moment to end what runs (`tunnel_grace`
seconds); then it is closed and on record, and the next attempt meets the prompt.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_right
from typing import TYPE_CHECKING

from mitmproxy import ctx

from . import authority

if TYPE_CHECKING:
    from mitmproxy.proxy.server import ConnectionHandler

    from sovproxy.usecases.nodes.node import Node, Passage

    from .session import Session

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.0
"""How often it is looked whether anything changed that could end a tunnel."""

AT_A_TIME = 500
"""Connections that are judged anew before others get their turn: some milliseconds."""


class Rechecking:
    """Closes what was let through and may not go on."""

    def __init__(self, node: Node, sessions: dict[str, Session]) -> None:
        self._node = node
        self._sessions = sessions
        self._rules: object = None

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await self._look_again()
            except Exception:
                log.exception("open tunnels could not be judged anew; they stay open")

    async def _look_again(self) -> None:
        """Judge every open connection when rules changed, else those whose time may be over."""
        rules = self._rules_in_force()
        every, self._rules = rules != self._rules, rules
        for number, (client, session) in enumerate(tuple(self._sessions.items()), 1):
            if every and session.inspected and not self._may_still_inspect(session):
                _close(client)
            elif session.open and (every or session.ends is not None or _by_leave(session)):
                self._recheck(client, session)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _may_still_inspect(self, session: Session) -> bool:
        """Whether what is decrypted may be, under the rules of now."""
        host = session.identity.host if session.identity else ""
        at = self._node.client(session.client.address, session.client.name)
        looked = tuple(self._node.look(one.destination, at) for one in session.inspected_as)
        return authority.inspecting_identity(self._node, host, looked) is not None

    def _rules_in_force(self) -> tuple[object, int]:
        """What changes when any verdict may change other than by somebody's leave."""
        decider = self._node.judge.decider
        return decider, bisect_right(decider.policy.turning_points, time.time())

    def _recheck(self, client: str, session: Session) -> None:
        stopping, now = self._stopping(session), time.monotonic()
        if stopping is None:
            session.ends = None
            return
        if session.ends is None:
            session.ends = now + self._node.tunnel_grace
        if session.ends <= now:
            session.passage, session.told, session.open = stopping, False, ()
            _close(client)  # which puts it on record, as for every stopped client that leaves

    def _stopping(self, session: Session) -> Passage | None:
        """The verdict that ends a connection; None when all of it may still pass."""
        client = self._node.client(session.client.address, session.client.name)
        looked = (self._node.look(passage.destination, client) for passage in session.open)
        return next((passage for passage in looked if not passage.passes), None)


def _by_leave(session: Session) -> bool:
    """Whether it passes by an acknowledgement or an exception, which end by themselves."""
    verdicts = (passage.verdict for passage in session.open)
    return any(verdict.acknowledged or verdict.exception for verdict in verdicts)


def _close(client: str) -> None:
    """Close a client's connection, as mitmproxy does with one that is idle for too long."""
    handlers: list[ConnectionHandler] = list(
        ctx.master.addons.get("proxyserver").connections.values()
    )
    for handler in handlers:
        transport = handler.transports.get(handler.client)
        if handler.client.id == client and transport and transport.handler:
            transport.handler.cancel("sovproxy: may not go on")
