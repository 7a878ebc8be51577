"""How long it takes to judge recorded traffic by a draft: `python bench/simulate.py [EVENTS]`.

The traffic is that of `ingest.py`, of the last 7 days, in an SQLite file that is deleted at the
end; the draft is the shipped profile `fr-etat` with its warnings made blocks. It prints how many
events were judged, how many different questions they were, and how long it took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import timedelta
from importlib import resources
from pathlib import Path

from bulk import Bulk
from ingest import NOW, World

from sovproxy.policy.load import check_bytes
from sovproxy.settings import Settings
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.store.times import microseconds
from sovproxy.store.writing import write_new
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.simulating import Replay
from sovproxy.usecases.policy.simulation import SimulationInput

ROUNDS = 3


def main() -> None:
    """Fill a store, replay it some times, and print how long each took."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    text = resources.files("sovproxy.policy").joinpath("profiles/fr-etat.yaml").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(Settings(data_dir=Path(folder) / "data"))
        blocked = text.replace("action: warn", "action: block").encode()
        draft = check_bytes(blocked, "draft", judge.known).policy
        store = open_store(sqlite_url(Path(folder) / "bench.sqlite"))
        for events, rollups in Bulk(World().clients).batches(microseconds(NOW), number):
            write_new(store, events, rollups)
        asked = SimulationInput(since=NOW - timedelta(days=30))
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            found = Replay(judge, draft, asked, NOW, seconds=600).run(store)
            took = time.perf_counter() - begin
            print(
                f"{found.events:,} events, {found.counted:,} only counted: {took:.1f} s, "
                f"{took / found.events * 1e6:.0f} µs an event{', cut' if found.cut else ''}"
            )
        store.close()


if __name__ == "__main__":
    main()
