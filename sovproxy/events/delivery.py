"""From the spool to the API: at least once, in batches, for as long as it takes.

The API stores each id once, so repeating a batch does no harm. What the API refuses item by item is
set aside on the node's disk; everything else is repeated until it is taken, with growing pauses.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from sovproxy.errors import SovproxyError
from sovproxy.events.segments import Limits
from sovproxy.events.text import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sovproxy.events.reader import Batch, SpoolReader

log = logging.getLogger(__name__)

PATH: Final = "/api/v1/events"
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
QUIET_SECONDS: Final = 15.0
"""How long after the start it is no news that the API does not answer: it may be starting too."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_OK: Final = 200
_TOO_LARGE: Final = 413


class NotTaken(SovproxyError):
    """The API did not take a batch; `pause` is how long it asked to wait (seconds), or 0."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        self.pause = pause
        super().__init__(message)


class TooLarge(NotTaken):
    """The API finds a batch too large."""


@dataclass(slots=True)
class DeliveryCounters:
    """What was delivered since the start, in records, and how often it failed, in attempts."""

    delivered: int = 0
    duplicates: int = 0
    refused: int = 0
    failures: int = 0


class Delivery:
    """Delivers what `reader` finds to the API at `api_url`, in a thread of its own.

    `token` is asked before every attempt, so that it can be renewed while the node runs. Proxy
    settings of the environment are not used: they may well name the node itself. `authority` is a
    PEM file of the roots to trust, instead of the public ones.
    """

    def __init__(
        self,
        reader: SpoolReader,
        api_url: str,
        token: Callable[[], str],
        limits: Limits | None = None,
        poll_seconds: float = 1.0,
        *,
        authority: Path | None = None,
    ) -> None:
        self.counters = DeliveryCounters()
        self._reader = reader
        self._url = api_url.rstrip("/") + PATH
        self._token = token
        self._full_limits = self._limits = limits or Limits()
        self._poll_seconds = poll_seconds
        verify = ssl.create_default_context(cafile=str(authority)) if authority else True
        self._client = httpx.Client(
            timeout=TIMEOUT, trust_env=False, follow_redirects=False, verify=verify
        )
        self._stop = threading.Event()
        self._quiet_until = 0.0
        self._warned = False
        self._thread = threading.Thread(target=self._run, name="sovproxy-delivery", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop after the attempt that is running, waiting at most `timeout` seconds for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._client.close()

    def deliver_once(self) -> bool:
        """Deliver one batch; False if there was none. Raises NotTaken, OSError."""
        batch = self._reader.next_batch(self._limits)
        if len(batch):
            self._send(batch)
        self._reader.acknowledge(batch)
        return len(batch) > 0

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                busy = self.deliver_once()
            except Exception as error:  # noqa: BLE001  # it must go on whatever happens
                pause = self._after_failure(error, pause)
                continue
            pause, self._warned = FIRST_PAUSE, False
            if not busy:
                self._stop.wait(self._poll_seconds)

    def _after_failure(self, error: Exception, pause: float) -> float:
        """Wait, and give the next pause: twice as long, up to a minute."""
        self.counters.failures += 1
        if not self._warned and not self._stop.is_set() and time.monotonic() >= self._quiet_until:
            self._warned = True
            log.warning("events wait in the spool: %s", error)
        asked = error.pause if isinstance(error, NotTaken) else 0.0
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  # spreads nodes, keeps no secret
        self._stop.wait(max(pause * jitter, min(asked, LONGEST_PAUSE)))
        return min(pause * 2, LONGEST_PAUSE)

    def _send(self, batch: Batch) -> None:
        try:
            answer = self._post(batch)
        except TooLarge:
            self._halve(batch)
            raise
        self._limits = self._full_limits
        refused = _refused(batch, answer)
        if refused:
            log.error("the API refused %d records; see refused.jsonl in the spool", len(refused))
            self._reader.set_aside(refused)
        duplicates = _number(answer, "duplicates")
        self.counters.refused += len(refused)
        self.counters.duplicates += duplicates
        self.counters.delivered += len(batch) - len(refused) - duplicates

    def _halve(self, batch: Batch) -> None:
        self._limits = Limits(max(1, len(batch) // 2), self._full_limits.size)

    def _post(self, batch: Batch) -> dict[str, object]:
        headers = {"authorization": f"Bearer {self._token()}", "content-type": "application/json"}
        try:
            response = self._client.post(self._url, content=_body(batch), headers=headers)
        except (httpx.HTTPError, RuntimeError) as error:
            raise NotTaken(f"{self._url} cannot be reached: {error}") from error
        if response.status_code == _OK:
            return _answer(response)
        message = f"{self._url} answered {response.status_code}: {_detail(response)}"
        kind = TooLarge if response.status_code == _TOO_LARGE else NotTaken
        raise kind(message, _retry_after(response))


def _body(batch: Batch) -> bytes:
    return b'{"events":[%s],"rollups":[%s]}' % (b",".join(batch.events), b",".join(batch.rollups))


def _answer(response: httpx.Response) -> dict[str, object]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "accepted" not in answer:
        raise NotTaken(f"{response.url} answered 200, but not as sovproxy's API does")
    return answer


def _refused(batch: Batch, answer: dict[str, object]) -> list[bytes]:
    """Pick the records that the answer names, each with the reason it was refused for."""
    streams = {"events": batch.events, "rollups": batch.rollups}
    items = answer.get("refused")
    picked = []
    for item in items if isinstance(items, list) else []:
        match item:
            case {"list": str(name), "index": int(index)} if (
                0 <= index < len(streams.get(name, ()))
            ):
                note = json.dumps({"list": name, "problem": str(item.get("problem"))}).encode()
                picked.append(b'{"refused":%s,"record":%s}' % (note, streams[name][index]))
    return picked


def _number(answer: dict[str, object], name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return response.reason_phrase
    return clean_text(str(problem.get("detail")), 500) if isinstance(problem, dict) else ""


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
