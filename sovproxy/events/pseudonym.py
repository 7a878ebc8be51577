"""Keyed pseudonyms of clients: the same within a calendar month, unlinkable without the key.

A pseudonym is `2026-11.k3f9…`: the key's month (UTC), and 80 bits of HMAC-SHA256 over the client
under that month's key. Keys live in one file (mode 0600) on the node and are destroyed after the
retention period; from then on nobody can tell whose pseudonyms they made.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import re
import secrets
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sovproxy.errors import SovproxyError
from sovproxy.events.files import PRIVATE_FILE, make_private_folder, replace_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY_BYTES = 32
DIGEST_BYTES = 10
MAX_REMEMBERED = 10_000
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class UnusableKeys(SovproxyError):
    """The file with the pseudonym keys cannot be read or written, or holds something else."""


class Pseudonyms:
    """Makes pseudonyms from the keys in `path`, which it creates, rotates and cleans up.

    `retention_days` says how long a key is kept after its month has ended. Raises UnusableKeys.
    """

    def __init__(
        self, path: Path, retention_days: int = 183, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, bytes] = {}
        self._remembered: dict[tuple[str, str], str] = {}

    def of(self, client: str) -> str:
        """Give the pseudonym of `client` (its address or account name) in the present month."""
        month = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m")
        with self._lock:
            known = self._remembered.get((month, client))
            return known or self._make(month, client)

    def every(self, client: str) -> tuple[str, ...]:
        """Give the pseudonyms of `client` under all keys that are kept, oldest month first."""
        with self._lock:
            self._keys = self._read()
            return tuple(
                _pseudonym(month, key, client) for month, key in sorted(self._keys.items())
            )

    def _make(self, month: str, client: str) -> str:
        if month not in self._keys:
            self._rotate(month)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        pseudonym = _pseudonym(month, self._keys[month], client)
        self._remembered[month, client] = pseudonym
        return pseudonym

    def _rotate(self, month: str) -> None:
        try:
            make_private_folder(self._path.parent)
            with _locked(self._path.with_name(f"{self._path.name}.lock")):
                keys = self._read()
                kept = self._still_needed(keys) | {month: keys.get(month) or _new_key()}
                if kept != keys:
                    replace_private(self._path, _dump(kept))
        except OSError as error:
            message = f"the pseudonym keys {self._path} cannot be written: {error.strerror}"
            raise UnusableKeys(f"{message}; see that the folder is writable") from error
        self._keys = kept
        self._remembered.clear()

    def _still_needed(self, keys: dict[str, bytes]) -> dict[str, bytes]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {month: key for month, key in keys.items() if _end(month) + self._retention > now}

    def _read(self) -> dict[str, bytes]:
        try:
            return _load(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            message = f"the pseudonym keys {self._path} cannot be read: {error.strerror}"
            raise UnusableKeys(message) from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UnusableKeys(
                f"{self._path} does not hold pseudonym keys; restore it, or move it away to start "
                "with new keys (clients then get new pseudonyms)"
            ) from error


def _pseudonym(month: str, key: bytes, client: str) -> str:
    digest = hmac.digest(key, client.encode("utf-8", "surrogatepass"), "sha256")[:DIGEST_BYTES]
    return f"{month}.{base64.b32encode(digest).decode().lower()}"


def _new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def _end(month: str) -> datetime:
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _dump(keys: dict[str, bytes]) -> bytes:
    texts = {month: base64.b64encode(key).decode() for month, key in sorted(keys.items())}
    return json.dumps({"keys": texts}, indent=1).encode()


def _load(data: bytes) -> dict[str, bytes]:
    keys = {
        month: base64.b64decode(text, validate=True)
        for month, text in json.loads(data)["keys"].items()
    }
    for month, key in keys.items():
        if not _MONTH.fullmatch(month) or len(key) != KEY_BYTES:
            raise ValueError(month)
    return keys


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
