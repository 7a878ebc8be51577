"""How fast events come in and questions are answered, on SQLite or PostgreSQL.

`python bench/ingest.py [--url postgresql://…] [--events 10000000] [--rounds 9] [--folder DIR]`
fills an empty store: 30 days, 60 services on two networks each, 24 groups on 3 nodes, 240,000
hosts, 2,000 clients of one group each, popularity by Zipf, and a rollup to every 20 events. The
last events come as records, in batches of 5,000, and are timed, by turns as one node delivers them
and as eight do at once; those before come as columns (`bulk.py`), by the
function that also writes what nodes deliver. Then it
asks each question some times through HTTP, and delivers 50,000 more events as nodes do. It prints
medians; making the events is not counted.

Without `--url` the store is an SQLite file in a folder that is deleted at the end. A database at
`--url` must be empty, and keeps what was stored: `--only-ask` asks it the questions again, and
delivers 50,000 events more.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import secrets
import socket
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from bulk import SIZE, Bulk

from sovproxy.api.app import create_app
from sovproxy.api.services import Services
from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import Event, EventKind, Outcome, Rollup, Transport
from sovproxy.events.segments import Limits
from sovproxy.store.database import Store, open_store, sqlite_url
from sovproxy.store.deliveries import insert_records
from sovproxy.store.times import microseconds
from sovproxy.store.upkeep import store_size
from sovproxy.store.writing import write_new
from sovproxy.usecases.access.tokens import Role, create_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH = 5000
NODES = 8  # that deliver at once
ROUND = 32  # batches that are timed together
SAMPLE = 640_000  # events that come as records
HTTP_EVENTS = 50_000
NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = 30
ACTIONS = (
    (Action.OBSERVE, Outcome.TUNNELLED, False),
    (Action.WARN, Outcome.PROMPTED, True),
    (Action.BLOCK, Outcome.PROMPTED, True),
    (Action.BLOCK, Outcome.CONNECT_REFUSED, False),
)
NOBODY = "2026-11.aaaaaaaaaaaaaaaa"
RARE = {"service": "service-59", "group": "group-23"}
TWO = {"service": ["service-1", "service-2"], "action": "block"}
CONTROLS = (("US",), ("US",), ("CN",), ("FR",), ("GB", "US"), ("DE",))


def zipf(number: int) -> list[float]:
    """Cumulative weights of a Zipf distribution."""
    return list(accumulate(1 / rank for rank in range(1, number + 1)))


class World:
    """Draws events that look like an administration's."""

    def __init__(self, seed: int = 3) -> None:
        self.random = random.Random(seed)
        alphabet = "abcdefghijklmnopqrstuvwxyz234567"
        self.clients = [
            "2026-11." + "".join(self.random.choices(alphabet, k=16)) for _ in range(2000)
        ]
        self.weights = {size: zipf(size) for size in (24, 60, 2000, 4000)}

    def pick(self, size: int) -> int:
        """A rank, small ones more often."""
        return self.random.choices(range(size), cum_weights=self.weights[size])[0]

    def fields(self, group: int) -> dict[str, Any]:
        """What events and rollups share."""
        service, network = self.pick(60), self.random.randrange(2)
        return {
            "node": f"proxy-{group % 3}",
            "group": f"group-{group}",
            "service": f"service-{service}",
            "control": CONTROLS[service % len(CONTROLS)],
            "standing": Standing.ABROAD if service % 3 else Standing.HOSTED_HERE_CONTROLLED_ABROAD,
            "location": ("US", "IE", "FR", "DE")[(service + network) % 4],
            "asn": 1000 + service * 2 + network,
            "rule": f"rule-{service % 12}",
        }

    def event(self, time_: datetime) -> Event:
        """One event."""
        client = self.pick(2000)
        fields = self.fields(client % 24)
        action, outcome, decrypted = ACTIONS[self.random.choices(range(4), (6, 2, 1, 1))[0]]
        return Event(
            **fields,
            time=time_,
            kind=EventKind.DECISION,
            client=self.clients[client],
            host=f"host-{self.pick(4000)}.{fields['service']}.example",
            address="192.0.2.17",
            port=443,
            action=action,
            operator=fields["service"],
            reason="the operator is controlled from abroad",
            policy="fr-etat",
            policy_version="2026-11-01",
            outcome=outcome,
            transport=Transport.HTTPS,
            decrypted=decrypted,
        )

    def rollup(self, start: datetime) -> Rollup:
        """One rollup of a minute."""
        fields = self.fields(self.pick(24)) | {"standing": Standing.SOVEREIGN, "control": ("FR",)}
        count = self.random.randrange(1, 200)
        return Rollup(**fields, start=start, seconds=60, action=Action.ALLOW, count=count)

    def batches(self, number: int) -> Iterator[tuple[list[Event], list[Rollup]]]:
        """Batches of this minute's events, with their rollups."""
        for _ in range(0, number, BATCH):
            times = [NOW - timedelta(seconds=self.random.random() * 60) for _ in range(BATCH)]
            yield [self.event(item) for item in times], [self.rollup(item) for item in times[::20]]


def fill(store: Store, world: World, number: int) -> None:
    """Store events as columns, the next drawn meanwhile; say now and then how many there are."""
    begin = time.perf_counter()
    bulk = Bulk(world.clients)
    with ThreadPoolExecutor(1) as storing:
        stored: Future[Any] | None = None
        for place, batches in enumerate(bulk.batches(microseconds(NOW), number), start=1):
            if stored:
                stored.result()
            stored = storing.submit(write_new, store, *batches)
            if place % 40 == 0:
                rate = place * SIZE / (time.perf_counter() - begin)
                print(f"{place * SIZE:,} events, {rate:,.0f} a second", file=sys.stderr, flush=True)
        if stored:
            stored.result()


def through_the_store(store: Store, world: World, number: int) -> dict[str, int]:
    """Store records, as one node delivers them, and as several nodes do at once.

    Give events per second: of the median of the rounds, each of `ROUND` batches.
    """
    took: dict[int, list[float]] = {1: [], NODES: []}
    with ThreadPoolExecutor(NODES) as nodes:
        for place, begin in enumerate(range(0, number, ROUND * BATCH)):
            round_ = list(world.batches(min(number - begin, ROUND * BATCH)))
            gc.collect()
            gc.freeze()  # what was drawn is none of the store's
            writers = NODES if place % 2 else 1
            begun = time.perf_counter()
            shares = [round_[share::writers] for share in range(writers)]
            for done in [nodes.submit(deliver, store, share) for share in shares]:
                done.result()
            took[writers].append((time.perf_counter() - begun) / len(round_))
    names = {1: "store_events_per_second", NODES: f"store_events_per_second_{NODES}_nodes"}
    return {names[n]: round(BATCH / statistics.median(times)) for n, times in took.items() if times}


def deliver(store: Store, batches: list[tuple[list[Event], list[Rollup]]]) -> None:
    """Store some batches, one after the other."""
    for events, rollups in batches:
        insert_records(store, events, rollups)


def through_http(client: httpx.Client, token: str, world: World) -> float:
    """Deliver as a node does that has so many in its spool; give events per second."""
    limits = Limits()
    size = min(limits.records, limits.size // len(world.event(NOW).to_json()))
    bodies = []
    for begin in range(0, HTTP_EVENTS, size):
        share = range(begin, min(begin + size, HTTP_EVENTS))
        bodies.append(b'{"events":[%s]}' % b",".join(world.event(NOW).to_json() for _ in share))
    headers = {"authorization": f"Bearer {token}"}
    begin = time.perf_counter()
    for body in bodies:
        client.post("/api/v1/events", content=body, headers=headers).raise_for_status()
    return HTTP_EVENTS / (time.perf_counter() - begin)


def questions() -> list[tuple[str, str, dict[str, Any]]]:
    """What an analyst asks."""
    week = (NOW - timedelta(days=7)).isoformat()
    odd = (NOW - timedelta(days=20, minutes=17)).isoformat()
    return [
        ("first page, no filter", "events", {}),
        ("first page, frequent service", "events", {"service": "service-0"}),
        ("first page, rare service and group", "events", RARE),
        ("first page, control", "events", {"control": "CN"}),
        ("first page, rare client", "events", {"client": World().clients[-1]}),
        ("first page, host below", "events", {"host": ".service-59.example"}),
        ("first page, host contains", "events", {"host_contains": "host-3999."}),
        ("first page, no such rule", "events", {"rule": "none"}),
        ("page in the middle, oldest first", "events", {"since": odd, "sort": "oldest"}),
        ("facets, all", "facets", {}),
        ("facets, 7 days", "facets", {"since": week}),
        ("facets, 20 days, two filters", "facets", {"since": odd} | TWO),
        ("facets, frequent client", "facets", {"client": World().clients[0]}),
        ("facets, host contains", "facets", {"host_contains": "host-1."}),
        ("facets, any host", "facets", {"host_contains": "example"} | TWO),
        ("facets, rare client, 7 days", "facets", {"client": World().clients[-1], "since": week}),
        ("first page, nothing fits", "events", {"client": NOBODY, "host": "none.example"}),
        ("histogram, 7 days", "histogram", {"since": week}),
        ("histogram, 30 days, control", "histogram", {"control": "US"}),
        ("overview, 24 hours", "overview", {"range": "24h"}),
        ("overview, 7 days", "overview", {"range": "7d"}),
        ("overview, 30 days", "overview", {"range": "30d"}),
    ]  # fmt: skip


def latency(client: httpx.Client, token: str, rounds: int) -> list[dict[str, Any]]:
    """The median and greatest of each question, in milliseconds."""
    headers, result = {"authorization": f"Bearer {token}"}, []
    for name, path, params in questions():
        times = []
        for _ in range(rounds):
            begin = time.perf_counter()
            client.get(f"/api/v1/{path}", params=params, headers=headers).raise_for_status()
            times.append((time.perf_counter() - begin) * 1000)
        item = {"question": name, "median_ms": statistics.median(times), "max_ms": max(times)}
        print(f"{name:40} {item['median_ms']:8.1f} ms   (max {item['max_ms']:.1f})", flush=True)
        result.append(item)
    return result


def serving(store: Store, work: Callable[[httpx.Client], None]) -> None:
    """Run `work` against a real server on loopback."""
    services = Services(
        store=store,
        judge=None,  # type: ignore[arg-type]  # nothing is judged here
        proxy_address="",
        ca_file=Path(),
        internal_domains=tuple,
        retention_days=lambda: 183,
        data_ages=list,
        policy_problem=str,
    )
    # Made by number: asyncio switches Nagle's delay off only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(services), log_level="error"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
            work(client)
    finally:
        server.should_exit = True
        thread.join()


def filled(store: Store, events: int) -> dict[str, Any]:
    """Fill a store and give the figures of that."""
    world = World()
    if events > SAMPLE:
        fill(store, world, events - SAMPLE)
    figures: dict[str, Any] = dict(through_the_store(store, world, min(events, SAMPLE)))
    figures["bytes_per_event"] = round(store_size(store).bytes / events)
    print(figures, flush=True)
    return figures


def asked(store: Store, rounds: int) -> dict[str, Any]:
    """Ask everything and deliver some events; give the figures."""
    world, figures = World(), dict[str, Any]()
    name = f"bench-{secrets.token_hex(4)}"

    def ask(client: httpx.Client) -> None:
        figures["latency"] = latency(client, create_token(store, Role.ANALYST, name), rounds)
        node = create_token(store, Role.NODE, name)
        figures["http_events_per_second"] = round(through_http(client, node, world))

    serving(store, ask)
    return figures


def main() -> None:
    """Run everything and print the figures, at last as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--cache-mib", type=int, default=384, help="as SOVPROXY_STORE_CACHE_MIB")
    parser.add_argument("--only-ask", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        url = options.url or sqlite_url(Path(folder) / "bench.sqlite")
        store = open_store(url, cache_bytes=options.cache_mib * 1024 * 1024)
        figures: dict[str, Any] = {"database": store.dialect}
        if not options.only_ask:
            figures |= {"events": options.events} | filled(store, options.events)
        print(json.dumps(figures | asked(store, options.rounds)))
        store.close()


if __name__ == "__main__":
    main()
