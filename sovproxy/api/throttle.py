"""How often one address may fail to sign in."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

MAX_FAILURES: Final = 10
WINDOW_SECONDS: Final = 300
MAX_ADDRESSES: Final = 10_000


class Throttle:
    """Counts failures per address (an IPv6 network of 64 bits counts as one), in memory.

    Over 10 within 5 minutes, every attempt from there has to wait. At most 10,000 addresses are
    remembered, the latest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str, now: datetime) -> int:
        """How many seconds this address has to wait before the next attempt; 0 if not at all."""
        with self._lock:
            failures = self._recent(_network(address), now.timestamp())
            if len(failures) < MAX_FAILURES:
                return 0
            return int(failures[0] + WINDOW_SECONDS - now.timestamp()) + 1

    def failed(self, address: str, now: datetime) -> None:
        """Note one failure."""
        key = _network(address)
        with self._lock:
            failures = self._recent(key, now.timestamp())
            failures.append(now.timestamp())
            self._failures[key] = failures
            self._failures.move_to_end(key)
            while len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, key: str, now: float) -> deque[float]:
        failures = self._failures.get(key) or deque(maxlen=MAX_FAILURES)
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        return failures


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return str(parsed)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
