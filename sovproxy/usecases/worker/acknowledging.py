"""A worker's "go on" after a warning: one service (or host), one client, a limited time.

The prompt carries an offer: a signed, expiring token, bound to client and subject, good for one
use. Redeeming it makes an acknowledgement that is kept on disk, so that a restart forgets none.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from sovproxy.events.files import make_private_folder, replace_private

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

OFFER_SECONDS = 3600
"""How long the button on a prompt works after the page was shown."""

MOST_AHEAD = 31 * 86_400
"""How far ahead an acknowledgement may end, in seconds; no policy gives more."""

MAX_KEPT = 100_000
MAX_TOKEN = 4096
MAX_PATH = 2048


class Refusal(StrEnum):
    """Why a token was not redeemed."""

    EXPIRED = "expired"
    FORGED = "forged"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a token vouches for. `to` is the path on the prompt's own origin to return to."""

    client: str
    subject: str
    to: str
    nonce: str


class Offers:
    """Signs and checks the tokens on prompts, with a secret that never leaves the node.

    `purpose` keeps tokens apart: one for asking grants nothing.
    """

    def __init__(self, secret: bytes, purpose: str = "acknowledgement") -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt=f"sovproxy.{purpose}")

    def make(self, client: str, subject: str, to: str, nonce: str = "") -> str:
        """Sign an offer to `client` (a pseudonym) for `subject` (a service id, or a host)."""
        path = to if is_local_path(to) and len(to) <= MAX_PATH else "/"
        return str(self._serializer.dumps([client, subject, path, nonce or secrets.token_hex(8)]))

    def check(
        self, token: str, client: str, subject: str, aliases: Collection[str] = ()
    ) -> Offer | Refusal:
        """The offer, if the token is ours, in time, and for this client and subject.

        `aliases` are other pseudonyms of the client: its key may have changed meanwhile.
        """
        if len(token) > MAX_TOKEN:
            return Refusal.FORGED
        try:
            offer = Offer(*self._serializer.loads(token, max_age=OFFER_SECONDS))
        except SignatureExpired:
            return Refusal.EXPIRED
        except (BadSignature, TypeError, ValueError):  # ValueError: half a surrogate pair
            return Refusal.FORGED
        theirs = offer.client == client or offer.client in aliases
        return offer if theirs and offer.subject == subject else Refusal.FORGED


def is_local_path(path: str) -> bool:
    r"""Whether a redirect to `path` stays on the origin: `/x`, but not `//evil` nor `/\evil`."""
    return path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()


def is_under_way(until: float, now: float) -> bool:
    """Whether an acknowledgement that ends at `until` holds at `now` (Unix seconds).

    One that ends too far ahead was given while the clock was wrong: the worker is asked anew.
    """
    return now < until <= now + MOST_AHEAD


class Acknowledgements:
    """Who may pass which warning until when, and which offers were used. Kept in one file."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self._load()

    def holds(self, client: str, subject: str) -> bool:
        """Whether `client` has acknowledged `subject` and the time is not over."""
        return is_under_way(self._until.get(f"{client} {subject}", 0.0), self._clock())

    def grant(self, offer: Offer, seconds: float) -> bool:
        """Redeem an offer for `seconds` from now; False when it was used before.

        On disk before it returns. Raises OSError when it cannot be written: nothing is granted.
        """
        now = self._clock()
        with self._lock:
            if self._used.get(offer.nonce, 0.0) > now:
                return False
            until = _living(self._until, now) | {f"{offer.client} {offer.subject}": now + seconds}
            used = _living(self._used, now) | {offer.nonce: now + OFFER_SECONDS}
            self._save(until, used)
            self._until, self._used = until, used
        return True

    def _save(self, until: dict[str, float], used: dict[str, float]) -> None:
        make_private_folder(self._path.parent)
        replace_private(self._path, json.dumps({"until": until, "used": used}).encode())

    def _load(self) -> None:
        try:
            kept = json.loads(self._path.read_bytes())
            self._until = {str(key): float(value) for key, value in kept["until"].items()}
            self._used = {str(key): float(value) for key, value in kept["used"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._until, self._used = {}, {}  # the worker is asked once more: no harm done


def _living(entries: dict[str, float], now: float) -> dict[str, float]:
    """Drop what is over; past the limit, what ends first."""
    living = {key: end for key, end in entries.items() if end > now}
    excess = len(living) - MAX_KEPT
    if excess >= 0:
        for key in sorted(living, key=living.__getitem__)[: excess + 1]:
            del living[key]
    return living
