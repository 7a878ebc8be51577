"""Runs the API and the proxy as two processes, and restarts what dies or hangs.

Each process gets a socket by which it says that it is ready and, from then on, that it is alive
(see `notifying`). The same socket tells it when this process is gone: then it ends too.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.usecases.upkeep.notifying import (
    MAX_MESSAGE,
    OF_SYSTEMD,
    READY,
    SUPERVISOR_SOCKET,
    Notifier,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sovproxy.settings import Settings

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
END_SECONDS = 10.0
"""How long a process may take to end, beyond what it may drain."""

HUNG_SECONDS = 60.0
"""A process that was silent for this long is killed, and starts again."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long starts again at once when it dies."""

POLL_SECONDS = 0.2


class CannotRun(SovproxyError):
    """A process cannot start, or a port is taken."""


@dataclass(slots=True)
class Process:
    """A command that is kept alive. `port` is where it listens once it is ready.

    `drain` is how many seconds it may go on after it was told to end.
    """

    name: str
    command: list[str]
    host: str
    port: int
    drain: float = 0.0
    running: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    heard: float = 0.0
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    _socket: socket.socket | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in a session of its own: a Ctrl-C reaches it through us only."""
        self.started = self.heard = time.monotonic()
        self.is_ready = False
        if self._socket:
            self._socket.close()
        self._socket, handed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with handed:
            self.running = subprocess.Popen(  # noqa: S603 - our own command line
                self.command,
                env={**environment, SUPERVISOR_SOCKET: str(handed.fileno())},
                start_new_session=True,
                pass_fds=(handed.fileno(),),
            )

    def listen(self) -> None:
        """Take in what it has said since the last time."""
        while message := self._next_message():
            self.heard = time.monotonic()
            self.is_ready = self.is_ready or READY in message.split(b"\n")

    def _next_message(self) -> bytes:
        if self._socket is None:
            return b""
        with suppress(OSError):  # there is none, or it is gone
            return self._socket.recv(MAX_MESSAGE, socket.MSG_DONTWAIT)
        return b""

    def is_dead(self) -> bool:
        """Whether it ran and has ended."""
        return self.running is not None and self.running.poll() is not None

    def is_hung(self) -> bool:
        """Whether it has been silent for too long; getting ready may take longer."""
        patience = HUNG_SECONDS if self.is_ready else HUNG_SECONDS + READY_SECONDS
        return time.monotonic() - self.heard > patience


@dataclass(slots=True)
class Supervisor:
    """Keeps processes alive until it is told to stop; then lets them finish for a while.

    They end in the opposite order, one after the other: the API still takes what a node tells last.
    """

    processes: list[Process]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    notifier: Notifier = field(default_factory=Notifier)
    stopping: threading.Event = field(default_factory=threading.Event)
    hurrying: threading.Event = field(default_factory=threading.Event)
    _told: float = 0.0

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, say when it is ready, and return after `stop` or a signal.

        Raises CannotRun when something does not get ready.
        """
        for process in self.processes:
            require_free(process)
        try:
            for process in self.processes:
                process.start(self._environment())
            self._wait_until_ready()
            if not self.stopping.is_set():
                on_ready()
                self.notifier.ready()
            self._keep_alive()
        finally:
            self.notifier.stopping()
            for process in reversed(self.processes):
                self._end(process)

    def stop(self) -> None:
        """Ask `run` to end; the second time, at once."""
        if self.stopping.is_set():
            self.hurrying.set()
        self.stopping.set()

    def heed_signals(self) -> None:
        """Stop on SIGTERM, SIGINT, and SIGHUP (a terminal that closes): nothing is left behind."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())

    def _wait_until_ready(self) -> None:
        deadline, waiting = time.monotonic() + READY_SECONDS, list(self.processes)
        while waiting and not self.stopping.wait(POLL_SECONDS / 4):
            self._require_alive()
            for process in waiting:
                process.listen()
            waiting = [process for process in waiting if not process.is_ready]
            if waiting and time.monotonic() > deadline:
                seconds = int(READY_SECONDS)
                raise CannotRun(f"the {waiting[0].name} is not ready after {seconds} seconds")

    def _require_alive(self) -> None:
        dead = next((process for process in self.processes if process.is_dead()), None)
        if dead:
            raise CannotRun(f"the {dead.name} ended at once; its message stands above")

    def _environment(self) -> dict[str, str]:
        """What processes get: systemd hears of them from here only."""
        return {key: value for key, value in self.environment.items() if key not in OF_SYSTEMD}

    def _keep_alive(self) -> None:
        while not self.stopping.wait(POLL_SECONDS):
            for process in self.processes:
                process.listen()
                self._revive(process)
            self._say_alive()

    def _say_alive(self) -> None:
        now = time.monotonic()
        if now - self._told >= self.notifier.every:
            self._told = now
            self.notifier.alive()

    def _revive(self, process: Process) -> None:
        if process.is_hung() and process.running and not process.is_dead():
            log.warning("the %s has hung for %d s and is killed", process.name, HUNG_SECONDS)
            process.running.kill()
            process.running.wait()
        if not process.is_dead():
            return
        now = time.monotonic()
        if not process.due:
            self._plan(process, now)
        if now >= process.due:
            process.due = 0.0
            process.start(self._environment())

    def _plan(self, process: Process, now: float) -> None:
        """Say when a dead process starts again: each time later, unless it had lived for long."""
        steady = now - process.started > STEADY_SECONDS
        process.pause = 0.0 if steady else _longer(process.pause)
        process.due = now + process.pause
        code = process.running.returncode if process.running else None
        message = "the %s ended (code %s); it starts again in %.1f s"
        log.warning(message, process.name, code, process.pause)

    def _end(self, process: Process) -> None:
        """End a process: it may drain, unless there is a hurry; what stays is killed."""
        running = process.running
        if running is None or process.is_dead():
            return
        running.terminate()
        deadline, hurried = time.monotonic() + process.drain + END_SECONDS, False
        while running.poll() is None and time.monotonic() < deadline:
            self._say_alive()
            if self.hurrying.is_set() and not hurried:
                running.terminate()  # the second time it does not drain
                deadline, hurried = time.monotonic() + END_SECONDS, True
            time.sleep(POLL_SECONDS / 4)
        if running.poll() is None:
            log.warning("the %s does not end and is killed", process.name)
            running.kill()
            running.wait()


def _longer(pause: float) -> float:
    return min(max(pause, FIRST_PAUSE) * 2, LONGEST_PAUSE)


def processes_of(settings: Settings) -> list[Process]:
    """The API and the proxy of one installation."""
    api = [sys.executable, "-m", "sovproxy", "api"]
    proxy = node_command(settings)
    drain = settings.limits.drain_seconds
    return [
        Process("API", api, settings.api_host, settings.api_port),
        Process("proxy", proxy, settings.proxy_host, settings.proxy_port, drain=drain),
    ]


def node_command(settings: Settings) -> list[str]:
    """The command line of one node's proxy."""
    proxy = [sys.executable, "-m", "sovproxy_addons"]
    proxy += ["--listen-host", settings.proxy_host, "--listen-port", str(settings.proxy_port)]
    return [*proxy, "--mode", settings.proxy_mode, "--set", f"confdir={settings.ca_confdir}"]


def require_free(process: Process) -> None:
    """Raise CannotRun when the port is taken already."""
    reason = _why_taken(process)
    if reason:
        place = f"{process.host}:{process.port}"
        advice = f"set SOVPROXY_{process.name.upper()}_PORT, or stop what listens there"
        raise CannotRun(f"the {process.name} cannot listen on {place}: {reason}; {advice}")


def _why_taken(process: Process) -> str:
    """Why the port cannot be listened on, or empty when it can."""
    family = socket.AF_INET6 if ":" in process.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((process.host, process.port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
