"""Applications that tests serve on a loopback port, and clients that speak to them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

if TYPE_CHECKING:
    from fastapi import FastAPI

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Reading the usual ones takes 40 ms for each client, and nothing here speaks TLS."""


def client_of(url: str, **options: Any) -> httpx.Client:
    """A client of what is served at `url`, whatever the environment says of proxies."""
    return httpx.Client(base_url=url, trust_env=False, verify=_NO_AUTHORITIES, **options)


def listening() -> socket.socket:
    """A socket that listens on a free port of this machine."""
    # Without the protocol's number asyncio leaves Nagle's delay on: 40 ms for every answer.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


def url_of(listener: socket.socket) -> str:
    """The address that a client asks."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Serving:
    """An application that is being served, from a thread of its own."""

    def __init__(self, app: FastAPI, listener: socket.socket | None = None, **options: Any) -> None:
        listener = listener or listening()
        self.url = url_of(listener)
        self._server = _Server(uvicorn.Config(app, log_level="critical", **options))
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the application does not start"
            time.sleep(0.002)

    def stop(self) -> None:
        """Stop it as a signal does; its address refuses from then on. Once is enough."""
        if self._thread.is_alive():
            self._server.leave()
        self._thread.join()


class _Server(uvicorn.Server):
    """One that ends once it is told and nobody is connected.

    uvicorn's own looks ten times a second, and then waits: a thousand tests would wait with it.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def leave(self) -> None:
        self.should_exit = True
        if self._loop:
            self._loop.call_soon_threadsafe(self._told.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        state = self.server_state
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections or state.tasks:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.002)
        await self.lifespan.shutdown()
