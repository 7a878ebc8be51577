"""How many events a second are exported, by format: `python bench/export.py [EVENTS]`."""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sovproxy.events.event import Event
from sovproxy.events.export import ExportFormat
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.usecases.analysis.exporting import export
from sovproxy.usecases.analysis.searching import FilterInput

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def an_event(number: int) -> Event:
    """One of many: hosts, services and groups repeat as they do in an office."""
    return Event.model_validate(
        {
            "time": NOW - timedelta(seconds=number),
            "node": f"proxy-{number % 3}",
            "kind": "decision",
            "client": "2026-11." + "abcdefghijklmnop"[number % 16] * 16,
            "group": f"group-{number % 12}",
            "host": f"host-{number % 400}.zoom.us",
            "address": f"170.114.{number % 250}.2",
            "port": 443,
            "action": "block",
            "rule": "videoconference",
            "reason": "Zoom is run by Zoom Communications, Inc., controlled from the US.",
            "service": f"service-{number % 50}",
            "operator": "zoom-communications",
            "control": ("US",),
            "standing": "abroad",
            "location": "US",
            "asn": 30103,
            "alternative": "visio",
            "policy": "fr-etat",
            "policy_version": "0123456789ab",
            "outcome": "prompted",
            "transport": "https",
            "decrypted": True,
        },
        strict=False,
    )


def main() -> None:
    """Fill a store and export it in every format."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(sqlite_url(Path(folder) / "bench.sqlite"))
        for begin in range(0, number, 5000):
            batch = [an_event(begin + index) for index in range(min(5000, number - begin))]
            insert_records(store, batch, [])
        for form in ExportFormat:
            begun = time.perf_counter()
            size = sum(map(len, export(store, FilterInput(), form)))
            seconds = time.perf_counter() - begun
            print(f"{form:8} {number / seconds:10,.0f} events/s {size / number:7.0f} bytes/event")
        store.close()


if __name__ == "__main__":
    main()
