"""What nodes deliver: JSON that becomes rows of a real store."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sovproxy.events.event import Event, new_id
from sovproxy.store.database import Store, open_store, sqlite_url
from sovproxy.usecases.nodes.ingest import IngestBatch, InvalidBatch, ingest

from .target import Target, require

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
_EVENT = {
    "id": str(new_id()),
    "time": "2026-11-23T08:30:00Z",
    "node": "proxy-1",
    "kind": "decision",
    "client": "2026-11.aaaabbbbccccdddd",
    "group": "finance",
    "host": "us02web.zoom.us",
    "address": "170.114.52.2",
    "port": 443,
    "action": "block",
    "rule": "video-abroad",
    "service": "zoom",
    "control": ["US"],
    "standing": "abroad",
    "location": "US",
    "asn": 30103,
    "policy": "fr-etat",
    "policy_version": "1",
    "outcome": "prompted",
    "transport": "https",
    "decrypted": True,
}
_ROLLUP = {
    "id": str(new_id()),
    "start": "2026-11-23T08:30:00Z",
    "seconds": 300,
    "node": "proxy-1",
    "service": "visio",
    "control": ["FR"],
    "standing": "sovereign",
    "action": "allow",
    "rule": "sovereign",
    "count": 7,
}


@cache
def _store() -> Store:
    folder = Path(tempfile.mkdtemp(prefix="sov-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None))
    store = open_store(sqlite_url(folder / "fuzz.sqlite"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(store.close)
    return store


def check(data: bytes) -> None:
    """A batch is refused whole, or each of its records is new, known or named; twice adds none."""
    try:
        first = ingest(_store(), data)
    except InvalidBatch as error:
        require(str(error).isprintable(), "a refusal can be printed", data)
        return
    sent = json.loads(data)
    total = len(sent.get("events", ())) + len(sent.get("rollups", ()))
    told = first.accepted + first.duplicates + len(first.refused)
    require(told == total, "every record is answered", told, total)
    require(all(one.problem.isprintable() for one in first.refused), "problems are plain", data)
    again = ingest(_store(), data)
    require(again.accepted == 0 and again.refused == first.refused, "twice adds none", data)


def check_event(data: bytes) -> None:
    """Texts of an event are plain and storable, and it is written as it reads."""
    try:
        batch = IngestBatch.model_validate_json(b'{"events":[' + data + b"]}")
    except ValueError:
        return
    for event in batch.events:
        for name, value in event:
            plain = not isinstance(value, str) or value.isprintable()
            require(plain, "no control character is kept", name, value)
        require(Event.model_validate_json(event.to_json()) == event, "it reads as itself", event)


_BATCHES = (
    json.dumps({"events": [_EVENT], "rollups": [_ROLLUP]}).encode(),
    json.dumps({"events": [_EVENT, _EVENT | {"port": -1}, {}, 7]}).encode(),
    b"{}",
    b'{"events": 1}',
    b"[]",
    b'{"x": []}',
    b'{"rollups": [null]}',
)
_WORDS = (
    *tuple(f'"{name}":'.encode() for name in {*_EVENT, *_ROLLUP}),
    b"null",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
)
TARGETS = (
    Target("ingest", check, _BATCHES, 20, _WORDS),
    Target("event", check_event, (json.dumps(_EVENT).encode(),), 60, _WORDS),
)
