"""A syslog server as a sink: TCP or TLS, with backpressure, and knowing what has arrived there.

Syslog has no acknowledgements. What the server's kernel has confirmed (Linux tells how much is
still on its way) counts as arrived once a second has passed in which the connection stayed open; a
server that dies sooner gets it again.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.receivers import SyslogReceiver

CONNECT_SECONDS: Final = 10.0
STALLED_SECONDS: Final = 60.0
"""A server that takes nothing for so long is given up, and tried anew."""
SETTLE_SECONDS: Final = 1.0
_TICK: Final = 0.5
_CHUNK: Final = 16 * 1024


class ReceiverLost(OSError):
    """The receiver has closed the connection, or takes nothing any more."""


class SyslogSink:
    """One connection to a syslog server. Not for several threads."""

    settle_seconds: Final = SETTLE_SECONDS

    def __init__(self, receiver: SyslogReceiver, stopping: Callable[[], bool]) -> None:
        """Connect. Raises OSError (of which ssl.SSLError is one) when that fails."""
        self._stopping = stopping
        self._sent = 0
        self._socket = _connect(receiver)
        self._socket.settimeout(_TICK)

    def send(self, data: bytes) -> None:
        """Send all of it; wait as long as the server needs. Raises OSError, ReceiverLost."""
        self.check()
        view, begun = memoryview(data), time.monotonic()
        while view:
            part = view[:_CHUNK]
            try:
                number = self._socket.send(part)
            except TimeoutError:
                # The same bytes must be offered again: TLS has begun to write them.
                if self._stopping() or time.monotonic() - begun > STALLED_SECONDS:
                    raise ReceiverLost("it takes nothing any more") from None
                continue
            view, begun = view[number:], time.monotonic()
            self._sent += number

    def sent(self) -> int:
        """How many bytes were given to the system so far."""
        return self._sent

    def arrived(self) -> int:
        """How many of them the server's kernel has confirmed, at least: TLS adds bytes of its own.

        Raises OSError, ReceiverLost.
        """
        self.check()
        return max(0, self._sent - _on_the_way(self._socket))

    def check(self) -> None:
        """Notice that the server has gone. Raises OSError, ReceiverLost."""
        self._socket.settimeout(0)
        try:
            if self._socket.recv(4096) == b"":
                raise ReceiverLost("it has closed the connection")
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        finally:
            self._socket.settimeout(_TICK)

    def close(self) -> None:
        """End the connection in good order, so that what is on its way is not thrown away."""
        with suppress(OSError, ValueError):
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(_TICK)
                self._socket.unwrap()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()


def _connect(receiver: SyslogReceiver) -> socket.socket:
    context = _context(receiver) if receiver.tls else None
    address = (receiver.host, receiver.port)
    plain = socket.create_connection(address, timeout=CONNECT_SECONDS)
    try:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if context is None:
            return plain
        name = receiver.server_name or receiver.host
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _context(receiver: SyslogReceiver) -> ssl.SSLContext:
    """TLS 1.2 or newer, chain and name checked (RFC 5425 §5.1). Raises OSError."""
    context = ssl.create_default_context(cafile=receiver.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if receiver.certificate:
        context.load_cert_chain(receiver.certificate, receiver.key)
    return context


def _on_the_way(connection: socket.socket) -> int:
    """Bytes that were sent and not confirmed yet (tcp(7), SIOCOUTQ); 0 where nobody tells."""
    if sys.platform != "linux":
        return 0
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    (number,) = struct.unpack("i", answer)
    return int(number)
