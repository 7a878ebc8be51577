"""ClientHellos as clients and clever people send them: taken apart, changed, put together again."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace

from tests.lab.test_lab_tunnels import client_hello

type Extension = tuple[int, bytes]

SERVER_NAME, ALPN, PADDING, EARLY_DATA, ECH = 0, 16, 21, 42, 0xFE0D
GREASE = 0x1A1A


@dataclass(frozen=True)
class Hello:
    """A ClientHello: what stands before its extensions, and those."""

    before: bytes
    extensions: tuple[Extension, ...]

    def having(self, *more: Extension) -> Hello:
        """The same with extensions more, at the end."""
        return replace(self, extensions=(*self.extensions, *more))

    def without(self, *kinds: int) -> Hello:
        kept = tuple(pair for pair in self.extensions if pair[0] not in kinds)
        return replace(self, extensions=kept)

    def naming(self, *names: bytes, kind: int = 0) -> Hello:
        """The same with these server names in one extension, as they are."""
        return self.without(SERVER_NAME).having((SERVER_NAME, server_names(*names, kind=kind)))

    @property
    def message(self) -> bytes:
        parts = b"".join(
            struct.pack(">HH", kind, len(body)) + body for kind, body in self.extensions
        )
        body = self.before + struct.pack(">H", len(parts)) + parts
        return b"\x01" + len(body).to_bytes(3) + body

    def records(self, size: int = 16_384) -> bytes:
        """The ClientHello in TLS records of at most `size` bytes."""
        message = self.message
        parts = (message[at : at + size] for at in range(0, len(message), size))
        return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part for part in parts)


def hello(name: str) -> Hello:
    """What OpenSSL says for `name`."""
    message = client_hello(name)[0][5:]
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + struct.unpack_from(">H", message, at)[0]
    at += 1 + message[at]
    return Hello(message[4:at], tuple(_read(message[at + 2 :])))


def _read(data: bytes):
    while data:
        kind, size = struct.unpack_from(">HH", data)
        yield kind, data[4 : 4 + size]
        data = data[4 + size :]


def server_names(*names: bytes, kind: int = 0) -> bytes:
    """The server_name extension (RFC 6066 §3) with these names, of one kind (0: host name)."""
    entries = b"".join(struct.pack(">BH", kind, len(name)) + name for name in names)
    return struct.pack(">H", len(entries)) + entries


def encrypted() -> Extension:
    """An encrypted_client_hello (RFC 9849 §5) as real as GREASE: only its owner could tell."""
    suite, config, key, payload = b"\x00\x01\x00\x01", b"\x2a", os.urandom(32), os.urandom(208)
    parts = struct.pack(">H", len(key)) + key + struct.pack(">H", len(payload)) + payload
    return ECH, b"\x00" + suite + config + parts
