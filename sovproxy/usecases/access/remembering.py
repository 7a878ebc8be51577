"""Tokens that were good lately, by digest, for what has to be answered while the store is away."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sovproxy.store.database import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sovproxy.usecases.access.tokens import Principal, Role

REMEMBERED_FOR: Final = timedelta(hours=24)
"""From the last time that the store knew the token: an outage of a night stays on the charts."""

MAX_REMEMBERED: Final = 16


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes
    principal: Principal
    until: datetime


class Remembered:
    """At most 16 tokens, the latest, in memory only. The store is asked first, always."""

    def __init__(self) -> None:
        self._known: deque[_Known] = deque(maxlen=MAX_REMEMBERED)
        self._lock = threading.Lock()

    def check(
        self, token: str, now: datetime, ask: Callable[[], Principal], roles: frozenset[Role]
    ) -> Principal:
        """Whose token this is: `ask` tells, or what it told last if the store is away.

        Tokens of these `roles` are remembered; one that `ask` refuses is forgotten.
        Raises StoreUnavailable for one that is not known here, and what `ask` raises.
        """
        digest = hashlib.sha256(token.encode()).digest()
        try:
            principal = ask()
        except StoreUnavailable:
            if found := self._find(digest, now):
                return found
            raise
        except Exception:
            self._forget(digest)
            raise
        self._forget(digest)
        if principal.role in roles:
            with self._lock:
                self._known.append(_Known(digest, principal, now + REMEMBERED_FOR))
        return principal

    def _find(self, digest: bytes, now: datetime) -> Principal | None:
        with self._lock:
            found = [one for one in self._known if hmac.compare_digest(one.digest, digest)]
        return next((one.principal for one in found if now < one.until), None)

    def _forget(self, digest: bytes) -> None:
        with self._lock:
            for one in list(self._known):
                if hmac.compare_digest(one.digest, digest):
                    self._known.remove(one)
