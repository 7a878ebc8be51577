"""How often something may be tried: by address, by account, by whatever is counted."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from sovproxy.limits import network

if TYPE_CHECKING:
    from datetime import datetime

MAX_FAILURES: Final = 10
WINDOW_SECONDS: Final = 300
ACCOUNT_FAILURES: Final = 20
ACCOUNT_SECONDS: Final = 900  # 80 an hour; OWASP ASVS 2.2.1 permits 100
GUESSES: Final = 60
GUESS_SECONDS: Final = 60
STARTS: Final = 30
RECORDS: Final = 200
MAX_KEYS: Final = 10_000


class RateLimit:
    """At most `limit` notes under one key within `seconds`, in memory.

    At most `max_keys` keys are remembered, the latest; so nobody can fill the memory.
    """

    def __init__(self, limit: int, seconds: int, max_keys: int = MAX_KEYS) -> None:
        self._limit = limit
        self._seconds = seconds
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._notes: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str, now: datetime) -> int:
        """How many seconds this key has to wait; 0 if not at all."""
        with self._lock:
            return self._wait(self._recent(key, now.timestamp()), now.timestamp())

    def note(self, key: str, now: datetime) -> None:
        """Count one for this key."""
        with self._lock:
            self._add(key, self._recent(key, now.timestamp()), now.timestamp())

    def check(self, key: str, now: datetime) -> int:
        """Count one, and give 0; or give the seconds to wait, and count nothing."""
        with self._lock:
            notes = self._recent(key, now.timestamp())
            wait = self._wait(notes, now.timestamp())
            if not wait:
                self._add(key, notes, now.timestamp())
            return wait

    def undo(self, key: str) -> None:
        """Take the latest note of this key back."""
        with self._lock:
            if notes := self._notes.get(key):
                notes.pop()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._notes)

    def _wait(self, notes: deque[float], now: float) -> int:
        return 0 if len(notes) < self._limit else int(notes[0] + self._seconds - now) + 1

    def _add(self, key: str, notes: deque[float], now: float) -> None:
        notes.append(now)
        self._notes[key] = notes
        self._notes.move_to_end(key)
        while len(self._notes) > self._max_keys:
            self._notes.popitem(last=False)

    def _recent(self, key: str, now: float) -> deque[float]:
        notes = self._notes.get(key) or deque(maxlen=self._limit)
        while notes and notes[0] <= now - self._seconds:
            notes.popleft()
        return notes


class Throttle:
    """Counts failed sign-ins per address and per account; an IPv6 network of 64 bits is one.

    Over 10 of an address within 5 minutes, or 20 of an account within 15, every attempt has to
    wait. `guesses` counts bad tokens on any route, `starts` sign-ins begun at the OpenID provider,
    and `records` what the audit hears of failures.
    """

    def __init__(self) -> None:
        self.addresses = RateLimit(MAX_FAILURES, WINDOW_SECONDS)
        self.accounts = RateLimit(ACCOUNT_FAILURES, ACCOUNT_SECONDS)
        self.guesses = RateLimit(GUESSES, GUESS_SECONDS)
        self.starts = RateLimit(STARTS, GUESS_SECONDS)
        self.records = RateLimit(RECORDS, WINDOW_SECONDS)
        self.failures = 0  # of all, since the API began

    def wait(self, address: str, now: datetime) -> int:
        """How many seconds this address has to wait before the next attempt; 0 if not at all."""
        return self.addresses.wait(network(address), now)

    def failed(self, address: str, now: datetime) -> None:
        """Note one failure of an address."""
        self.addresses.note(network(address), now)

    def begin(self, address: str, login: str, now: datetime) -> int:
        """Count an attempt as failed until it has succeeded; or give the seconds to wait.

        It is counted before the work is done, so that many at a time do not slip through.
        """
        wait = self.addresses.check(network(address), now)
        if wait:
            return wait
        wait = self.accounts.check(login, now)
        if wait:
            self.addresses.undo(network(address))
        return wait

    def succeeded(self, address: str, login: str) -> None:
        """Take back what `begin` has counted."""
        self.addresses.undo(network(address))
        self.accounts.undo(login)
