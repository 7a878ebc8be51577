"""Tells whoever started this process how it is: ready, alive, ending.

Two may listen: systemd, by datagrams to the socket that NOTIFY_SOCKET names (sd_notify(3),
`Type=notify`), or `sovproxy run`, by a socket that it hands down. When `sovproxy run` is gone,
however it ended, its processes end too.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

SUPERVISOR_SOCKET: Final = "SOVPROXY_SUPERVISOR_SOCKET"
"""The variable that holds the number of the socket to `sovproxy run`."""

ALIVE_SECONDS: Final = 5.0
"""How often a process says at least that it is alive."""

OF_SYSTEMD: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
READY: Final = b"READY=1"
STOPPING: Final = b"STOPPING=1"
ALIVE: Final = b"WATCHDOG=1"
MAX_MESSAGE: Final = 512


class Notifier:
    """Tells who listens on `sock`; without one, nobody is told. Nothing is raised."""

    def __init__(self, sock: socket.socket | None = None, every: float = ALIVE_SECONDS) -> None:
        self._socket = sock
        self.every = every
        """How many seconds there may be between two calls of `alive`."""

    def ready(self) -> None:
        """Say that work is being done from now on."""
        self._send(READY)

    def alive(self) -> None:
        """Say that it goes on."""
        self._send(ALIVE)

    def stopping(self) -> None:
        """Say that it ends."""
        self._send(STOPPING)

    def _send(self, message: bytes) -> None:
        if self._socket:
            with suppress(OSError):  # nobody listens any more, or is too slow: nothing to be done
                self._socket.send(message, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def notifier_of(environment: MutableMapping[str, str] | None = None) -> Notifier:
    """Find out who listens; its own children are not to speak in its place.

    Under `sovproxy run` this process gets a SIGTERM when `sovproxy run` is gone.
    """
    found = os.environ if environment is None else environment
    number = found.pop(SUPERVISOR_SOCKET, "")
    if number.isdecimal():
        handed = socket.socket(fileno=int(number))
        handed.set_inheritable(False)
        threading.Thread(
            target=_end_with, args=(handed,), name="sovproxy-supervisor", daemon=True
        ).start()
        return Notifier(handed)
    notifier = Notifier(_of_systemd(found.get("NOTIFY_SOCKET", "")), _every(found))
    for name in OF_SYSTEMD:
        found.pop(name, None)
    return notifier


def _end_with(supervisor: socket.socket) -> None:
    """Wait until `sovproxy run` is gone, then end as it would have ended this process."""
    with suppress(OSError):
        while supervisor.recv(MAX_MESSAGE):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _of_systemd(address: str) -> socket.socket | None:
    """A socket to systemd's: a path, or `@` and a name in the abstract namespace."""
    if not address.startswith(("/", "@")):
        return None
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        made.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        made.close()
        return None
    return made


def _every(environment: Mapping[str, str]) -> float:
    """A third of the time after which systemd takes the process for dead (sd_watchdog_enabled)."""
    microseconds, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not microseconds.isdecimal() or process not in {None, str(os.getpid())}:
        return ALIVE_SECONDS
    return min(ALIVE_SECONDS, int(microseconds) / 3e6)
