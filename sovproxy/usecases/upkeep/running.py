"""Runs the API and the proxy as two processes, and restarts what dies."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sovproxy.settings import Settings

log = logging.getLogger(__name__)

READY_SECONDS = 60.0
DRAIN_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
"""A process that lived this long starts again at once when it dies."""

POLL_SECONDS = 0.2


class CannotRun(SovproxyError):
    """A process cannot start, or a port is taken."""


@dataclass(slots=True)
class Process:
    """A command that is kept alive. `port` is where it listens once it is ready."""

    name: str
    command: list[str]
    host: str
    port: int
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in a session of its own: a Ctrl-C reaches it through us only."""
        self.started = time.monotonic()
        self.running = subprocess.Popen(  # noqa: S603 - our own command line
            self.command, env=dict(environment), start_new_session=True
        )

    def is_dead(self) -> bool:
        """Whether it ran and has ended."""
        return self.running is not None and self.running.poll() is not None


@dataclass(slots=True)
class Supervisor:
    """Keeps processes alive until it is told to stop; then lets them finish for a while."""

    processes: list[Process]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, say when it is ready, and return after `stop` or a signal.

        Raises CannotRun when something does not get ready.
        """
        for process in self.processes:
            require_free(process)
        try:
            for process in self.processes:
                process.start(self.environment)
            self._wait_until_ready()
            on_ready()
            while not self.stopping.wait(POLL_SECONDS):
                self._revive()
        finally:
            self._end_all()

    def stop(self) -> None:
        """Ask `run` to end."""
        self.stopping.set()

    def heed_signals(self) -> None:
        """Stop on SIGTERM, SIGINT, and SIGHUP (a terminal that closes): nothing is left behind."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop())

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = list(self.processes)
        while waiting and not self.stopping.is_set():
            waiting = [process for process in waiting if not listens(process)]
            dead = next((process for process in self.processes if process.is_dead()), None)
            if dead:
                raise CannotRun(f"the {dead.name} ended at once; its message stands above")
            if waiting and time.monotonic() > deadline:
                seconds = int(READY_SECONDS)
                raise CannotRun(f"the {waiting[0].name} is not ready after {seconds} seconds")
            self.stopping.wait(POLL_SECONDS / 2)

    def _revive(self) -> None:
        now = time.monotonic()
        for process in self.processes:
            if not process.is_dead():
                continue
            if not process.due:
                steady = now - process.started > STEADY_SECONDS
                process.pause = 0.0 if steady else _longer(process.pause)
                process.due = now + process.pause
                code = process.running.returncode if process.running else None
                log.warning(
                    "the %s ended (code %s); it starts again in %.1f s",
                    process.name,
                    code,
                    process.pause,
                )
            if now >= process.due:
                process.due = 0.0
                process.start(self.environment)

    def _end_all(self) -> None:
        alive = [item.running for item in self.processes if item.running and not item.is_dead()]
        for running in alive:
            running.terminate()
        deadline = time.monotonic() + DRAIN_SECONDS
        for running in alive:
            try:
                running.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def _longer(pause: float) -> float:
    return min(max(pause, FIRST_PAUSE) * 2, LONGEST_PAUSE)


def processes_of(settings: Settings) -> list[Process]:
    """The API and the proxy of one installation."""
    api = [sys.executable, "-m", "sovproxy", "api"]
    proxy = [sys.executable, "-m", "sovproxy_addons"]
    proxy += ["--listen-host", settings.proxy_host, "--listen-port", str(settings.proxy_port)]
    proxy += ["--mode", settings.proxy_mode, "--set", f"confdir={settings.ca_folder}"]
    return [
        Process("API", api, settings.api_host, settings.api_port),
        Process("proxy", proxy, settings.proxy_host, settings.proxy_port),
    ]


def require_free(process: Process) -> None:
    """Raise CannotRun when the port is taken already."""
    reason = _why_taken(process)
    if reason:
        place = f"{process.host}:{process.port}"
        advice = f"set SOVPROXY_{process.name.upper()}_PORT, or stop what listens there"
        raise CannotRun(f"the {process.name} cannot listen on {place}: {reason}; {advice}")


def listens(process: Process) -> bool:
    """Whether somebody listens on the process's port.

    Nothing is connected to: mitmproxy ends when a connection that nobody redirected comes in while
    it starts in transparent mode.
    """
    return bool(_why_taken(process))


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
