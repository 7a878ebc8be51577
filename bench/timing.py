"""What a clock tells about a secret: `python bench/timing.py [ROUNDS]`.

A token whose secret is wrong in the first letter, one that is wrong in the last, and one whose
public id is unknown are checked in turn, in random order. Welch's t compares the first two: above
about 4.5 (as in the TVLA tests of hardware) the place of the mistake can be measured. An unknown id
is answered without a comparison; ids are no secrets, so that difference may show.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Role, authenticate, create_token

SLOWEST = 0.9
"""Slower rounds are left out: they measure the machine."""


def welch(one: list[float], other: list[float]) -> float:
    """Welch's t of two samples."""
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    return (statistics.fmean(one) - statistics.fmean(other)) / spread**0.5


def trimmed(times: list[float]) -> list[float]:
    """The quicker ones."""
    return sorted(times)[: int(len(times) * SLOWEST)]


def main() -> None:
    """Measure, and print means and t."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(sqlite_url(Path(folder) / "timing.sqlite"))
        token = create_token(store, Role.ANALYST, "timing", now=now)
        head, secret = token[:21], token[21:]
        other = "B" if secret[0] == "A" else "A"
        last = "B" if secret[-1] == "A" else "A"
        asked = {
            "first letter": head + other + secret[1:],
            "last letter": head + secret[:-1] + last,
            "unknown id": f"sov_{'0' * 16}_{secret}",
        }
        times: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(rounds):
            for name in random.sample(list(asked), len(asked)):
                begun = time.perf_counter_ns()
                found = authenticate(store, asked[name], now)
                times[name].append(time.perf_counter_ns() - begun)
                assert found is None
        store.close()
    kept = {name: trimmed(each) for name, each in times.items()}
    for name, each in kept.items():
        print(f"{name:14} mean {statistics.fmean(each) / 1000:8.2f} us")
    print(f"t of first and last letter: {welch(kept['first letter'], kept['last letter']):.2f}")
    print(f"t of first letter and unknown id: {welch(*list(kept.values())[::2]):.2f}")


if __name__ == "__main__":
    main()
