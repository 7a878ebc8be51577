"""Who was seen at this node, by month: what resolving a pseudonym needs, and only here.

A client is noted when an event about it is made, once a month. The files (mode 0600) never leave
the node and go with the retention; nothing but an approved resolution reads them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sovproxy.events.files import PRIVATE_FILE, make_private_folder, replace_private, write_all
from sovproxy.events.pseudonym import MONTH, end_of_month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

MAX_CLIENTS: Final = 500_000
"""Clients of one month that are noted; those after are not resolvable."""

_NAME = re.compile(rf"({MONTH})\.jsonl")


class Directory:
    """Clients (addresses or account names) by month, in `folder`. Safe to share between threads.

    `note` only remembers; `flush` writes.
    """

    def __init__(
        self, folder: Path, retention_days: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._retention = timedelta(days=retention_days)
        self._clock = clock
        self._lock = threading.Lock()
        self._month = ""
        self._seen: set[str] = set()
        self._unwritten: list[tuple[str, str]] = []

    def note(self, client: str) -> None:
        """Remember that a client was seen this month."""
        month = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m")
        with self._lock:
            if month != self._month:
                self._month, self._seen = month, set(self._read(month))
            if client not in self._seen and len(self._seen) < MAX_CLIENTS:
                self._seen.add(client)
                self._unwritten.append((month, client))

    def flush(self) -> None:
        """Write what was remembered, and delete what is too old. Raises OSError."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, []
        try:
            for month in sorted({month for month, _ in unwritten}):
                self._append(month, [client for at, client in unwritten if at == month])
            self._delete_old()
        except OSError:
            with self._lock:
                self._unwritten = [*unwritten, *self._unwritten]
            raise

    def clients(self, month: str) -> set[str]:
        """Everybody who was seen in a month."""
        with self._lock:
            waiting = {client for at, client in self._unwritten if at == month}
        return waiting | set(self._read(month))

    def forget(self, pseudonyms: Sequence[str], every: Callable[[str], Sequence[str]]) -> int:
        """Take out the clients that some pseudonyms stand for, in every month; say how many
        entries. `every` gives the pseudonyms of a client under all keys. Raises OSError.
        """
        number, unwanted = 0, set(pseudonyms)
        with self._lock:
            for path in sorted(self._folder.glob("*.jsonl")):
                name = _NAME.fullmatch(path.name)
                clients = list(self._read(name[1])) if name else []
                left = [one for one in clients if unwanted.isdisjoint(every(one))]
                number += len(clients) - len(left)
                if len(left) < len(clients):
                    lines = [json.dumps(one).encode() + b"\n" for one in left]
                    replace_private(path, b"".join(lines))
        return number

    def _path(self, month: str) -> Path:
        return self._folder / f"{month}.jsonl"

    def _append(self, month: str, clients: list[str]) -> None:
        make_private_folder(self._folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(self._path(month), flags, PRIVATE_FILE)
        try:
            write_all(handle, b"".join(json.dumps(one).encode() + b"\n" for one in clients))
        finally:
            os.close(handle)

    def _read(self, month: str) -> Iterator[str]:
        try:
            lines = self._path(month).read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("directory: %s cannot be read: %s", self._path(month), error)
            return
        for line in lines:
            try:
                client = json.loads(line)
            except ValueError:  # torn by a crash
                continue
            if isinstance(client, str):
                yield client

    def _delete_old(self) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name and end_of_month(name[1]) + self._retention <= now:
                path.unlink(missing_ok=True)
