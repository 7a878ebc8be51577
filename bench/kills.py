"""Kills node, API and database at random moments under load, and counts what was lost or doubled.

`python bench/kills.py [--kills 200] [--minutes 60] [--seed N] [--postgres]` starts a real node
(mitmdump with the addon), a real API and a real database: an SQLite file, or with `--postgres` a
PostgreSQL cluster of its own on a Unix socket. Clients ask for hosts of a blocked and of a warned
service, each host once, and note every answer of which they saw a byte. Meanwhile processes are
killed with SIGKILL and started again. At the end everything is delivered, and what clients saw is
compared with what is stored: it exits with 1 when an answer is missing there or stands there twice.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.faults.kills_lab import Client, Lab, wait_for
from tests.faults.kills_report import Report, compare, stored_hosts

if TYPE_CHECKING:
    from tests.faults.kills_lab import Victim

CLIENTS = 6
SHORTEST, LONGEST = 0.05, 1.2
"""Seconds between two kills."""

ALL_AT_ONCE = 0.05
"""Share of the moments at which everything is killed, as when the machine dies."""

DRAIN_SECONDS = 300.0


def kill_at_random(
    victims: list[Victim], number: int, chance: random.Random, until: float
) -> Counter[str]:
    """Kill one of the victims again and again, or all of them, until there were so many kills.

    It ends at `until` (monotonic seconds) in any case.
    """
    done: Counter[str] = Counter()
    while done.total() < number and time.monotonic() < until:
        time.sleep(chance.uniform(SHORTEST, LONGEST))
        together = chance.random() < ALL_AT_ONCE
        for victim in victims if together else [chance.choice(victims)]:
            victim.kill()
            done[victim.name] += 1
    return done


def run(lab: Lab, kills: int, chance: random.Random, minutes: float) -> Report:
    """Start everything, put load on it, kill, let it drain, and compare."""
    lab.start()
    began = time.monotonic()
    stop = threading.Event()
    clients = [
        Client(lab.proxy, number, random.Random(chance.random())) for number in range(CLIENTS)
    ]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        killed = kill_at_random(lab.victims, kills, chance, began + minutes * 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    lab.revive()
    clients[0].ask()  # begins a segment: what a kill tore off the last one is then passed over
    wait_for(lab.is_drained, "everything is delivered", DRAIN_SECONDS)
    seconds = time.monotonic() - began
    lab.quiet()
    hosts, counted = stored_hosts(lab.store_url)
    report = compare((host for client in clients for host in client.seen), hosts)
    report.kills, report.seconds = dict(sorted(killed.items())), round(seconds, 1)
    report.gave_up = sum(victim.gave_up for victim in lab.victims)
    report.asked = sum(client.asked for client in clients)
    report.miscounted = abs(counted - report.stored)
    return report


def say(report: Report, database: str, seed: int) -> None:
    """Print the report as a table."""
    print(f"database {database}, seed {seed}, {report.seconds:.0f} s")
    for name, number in report.kills.items():
        print(f"  {'killed: ' + name:24} {number:8}")
    for name in ("gave_up", "asked", "seen", "stored", "unseen", "lost", "doubled", "miscounted"):
        print(f"  {name:24} {getattr(report, name):8}")
    for line in report.examples:
        print(f"  {line}")


def main() -> int:
    """Run once; 0 when nothing was lost or doubled, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0, help="kill for so long at most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sov-kills-") as folder:
        chance = random.Random(chosen.seed)
        lab = Lab(Path(folder), chance, postgres=chosen.postgres)
        try:
            report = run(lab, chosen.kills, chance, chosen.minutes)
        finally:
            lab.stop()
    if chosen.json:
        print(json.dumps(asdict(report)))
    else:
        say(report, lab.database, chosen.seed)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
