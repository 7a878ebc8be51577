"""Keyed pseudonyms of clients: the same within a calendar month, unlinkable without the key.

A pseudonym is `2026-11.k3f9…`: the key's month (UTC), and 80 bits of HMAC-SHA256 over the client
under that month's key. Keys live in one file (mode 0600) on the node and are destroyed after the
retention period; from then on nobody can tell whose pseudonyms they made.

Nodes of one fleet adopt the keys that the API hands out, so that a client has one pseudonym at all
of them. A key that is replaced so is kept as long as any other: what it made can still be told.
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
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

KEY_BYTES = 32
DIGEST_BYTES = 10
MAX_REMEMBERED = 10_000
MONTH = "[0-9]{4}-(0[1-9]|1[0-2])"
MAX_REPLACED = 8
"""Replaced keys of one month that are kept, the latest."""

_MONTH = re.compile(MONTH)

type Keys = dict[str, tuple[bytes, ...]]
"""Keys by month: first the one that makes new pseudonyms, then those that it replaced."""


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
        self._keys: Keys = {}
        self._remembered: dict[tuple[str, str], str] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}

    def of(self, client: str) -> str:
        """Give the pseudonym of `client` (its address or account name) in the present month."""
        month = self._month()
        with self._lock:
            known = self._remembered.get((month, client))
            return known or self._make(month, client)

    def every(self, client: str) -> tuple[str, ...]:
        """Give the pseudonyms of `client` under all keys that are kept, oldest month first."""
        with self._lock:
            self._use(self._read())
            return self._all_of(client)

    def aliases(self, client: str) -> tuple[str, ...]:
        """The same by the keys that this object knows, without reading the file: for hot paths."""
        with self._lock:
            if not self._keys:
                self._use(self._read())
            return self._all_of(client)

    def under(self, month: str, client: str) -> tuple[str, ...]:
        """The pseudonyms of `client` under the keys of one month, by what this object knows."""
        keys = self._keys.get(month, ())
        return tuple(_pseudonym(month, key, client) for key in keys)

    def adopt(self, keys: Mapping[str, bytes]) -> bool:
        """Use these keys for new pseudonyms of their months; true if that changed anything.

        Own keys of those months stay until retention ends. Raises UnusableKeys.
        """
        with self._lock:
            return self._change(lambda kept: _merged(kept, keys))

    def hand_out(self, months: Iterable[str]) -> dict[str, bytes]:
        """The keys in use by month, those of `months` among them, made where they are missing.

        Raises UnusableKeys.
        """
        with self._lock:
            self._change(lambda kept: {month: (_new_key(),) for month in months} | kept)
            return {month: keys[0] for month, keys in sorted(self._keys.items())}

    def _month(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m")

    def _make(self, month: str, client: str) -> str:
        if month not in self._keys:
            self._change(lambda kept: {month: (_new_key(),)} | kept)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        pseudonym = _pseudonym(month, self._keys[month][0], client)
        self._remembered[month, client] = pseudonym
        return pseudonym

    def _all_of(self, client: str) -> tuple[str, ...]:
        if client not in self._aliases:
            if len(self._aliases) >= MAX_REMEMBERED:
                self._aliases.clear()
            months = sorted(self._keys.items())
            made = [_pseudonym(month, key, client) for month, keys in months for key in keys]
            self._aliases[client] = tuple(dict.fromkeys(made))
        return self._aliases[client]

    def _use(self, keys: Keys) -> bool:
        if keys == self._keys:
            return False
        self._keys = keys
        self._remembered.clear()
        self._aliases.clear()
        return True

    def _change(self, change: Callable[[Keys], Keys]) -> bool:
        """Change the keys in the file, and drop what is too old; true if it now has others."""
        try:
            make_private_folder(self._path.parent)
            with _locked(self._path.with_name(f"{self._path.name}.lock")):
                before = self._read()
                kept = self._still_needed(change(before))
                if kept != before:
                    replace_private(self._path, _dump(kept))
        except OSError as error:
            message = f"the pseudonym keys {self._path} cannot be written: {error.strerror}"
            raise UnusableKeys(f"{message}; see that the folder is writable") from error
        return self._use(kept)

    def _still_needed(self, keys: Keys) -> Keys:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return {
            month: key for month, key in keys.items() if end_of_month(month) + self._retention > now
        }

    def _read(self) -> Keys:
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


def end_of_month(month: str) -> datetime:
    """The instant (UTC) at which a month such as `2026-11` is over."""
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def months_ahead(now: datetime) -> tuple[str, str]:
    """The present month and the next one."""
    return now.strftime("%Y-%m"), end_of_month(now.strftime("%Y-%m")).strftime("%Y-%m")


def _merged(own: Keys, given: Mapping[str, bytes]) -> Keys:
    merged = dict(own)
    for month, key in given.items():
        replaced = tuple(old for old in own.get(month, ()) if old != key)
        merged[month] = (key, *replaced[:MAX_REPLACED])
    return merged


def _dump(keys: Keys) -> bytes:
    months = sorted(keys.items())
    texts = {month: _text(found[0]) for month, found in months}
    replaced = {month: [_text(key) for key in found[1:]] for month, found in months if found[1:]}
    return json.dumps({"keys": texts} | ({"replaced": replaced} if replaced else {})).encode()


def _load(data: bytes) -> Keys:
    content = json.loads(data)
    replaced = content.get("replaced", {})
    return {
        _month_or_error(month): tuple(map(_key, (text, *replaced.get(month, ()))))
        for month, text in content["keys"].items()
    }


def _month_or_error(text: str) -> str:
    if not _MONTH.fullmatch(text):
        raise ValueError(text)
    return text


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError(text)
    return key


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
