"""Many events, drawn as columns: to fill a store with as much as a ministry has in months.

What is drawn is what `ingest.World` draws one by one, and it is written by the function that writes
what nodes deliver (`write_new`), so that only the making of the events is spared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from sovproxy.decide.words import Action, Standing
from sovproxy.events.event import EventKind, Outcome
from sovproxy.store.batches import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.store.packing import Numbers
    from sovproxy.store.sorts import SortKey

SERVICES, GROUPS, CLIENTS, HOSTS = 60, 24, 2000, 4000
DAYS: Final = 30
SIZE: Final = 50_000
CONTROLS = (("US",), ("US",), ("CN",), ("FR",), ("GB", "US"), ("DE",))
LOCATIONS = ("US", "IE", "FR", "DE")
ACTIONS = (
    (Action.OBSERVE, Outcome.TUNNELLED, False),
    (Action.WARN, Outcome.PROMPTED, True),
    (Action.BLOCK, Outcome.PROMPTED, True),
    (Action.BLOCK, Outcome.CONNECT_REFUSED, False),
)
SHARES = (0.6, 0.2, 0.1, 0.1)
_DETAIL = '["the operator is controlled from abroad","","fr-etat","2026-11-01","https"]'


class Bulk:
    """Draws batches."""

    def __init__(self, clients: list[str], seed: int = 3) -> None:
        self._clients = clients
        self._draw = np.random.default_rng(seed)
        self._weights = {n: 1 / np.arange(1, n + 1) for n in (SERVICES, GROUPS, CLIENTS, HOSTS)}

    def batches(self, now: int, number: int) -> Iterator[tuple[Batch, Batch]]:
        """Batches of events up to `now` (Unix µs), in order of time, each with its rollups."""
        step = DAYS * 86_400_000_000 / number
        for begin in range(0, number, SIZE):
            places = np.arange(begin, min(begin + SIZE, number))
            times = now - ((number - places) * step).astype(np.int64)
            yield self._events(times), self._rollups(times[::20])

    def _pick(self, size: int, number: int) -> Numbers:
        weights = np.cumsum(self._weights[size])
        return np.searchsorted(weights, self._draw.random(number) * weights[-1])

    def _events(self, times: Numbers) -> Batch:
        number = len(times)
        service, network = self._pick(SERVICES, number), self._draw.integers(0, 2, number)
        client, host = self._pick(CLIENTS, number), self._pick(HOSTS, number)
        action = self._draw.choice(len(ACTIONS), number, p=SHARES)
        sorts, places = _different(service, network, client % GROUPS, action)
        hosts, host_places = _different(service, host)
        addresses, address_places = _different(service, host % 50)
        used, client_places = np.unique(client, return_inverse=True)
        words = {
            "client": ([self._clients[rank] for rank in used.tolist()], client_places),
            "host": ([f"host-{h}.service-{s}.example" for s, h in hosts], host_places),
            "address": ([f"198.51.{s}.{h}" for s, h in addresses], address_places),
            "detail": ([_DETAIL], np.zeros(number, np.int64)),
        }
        keys = [_event_sort(*sort) for sort in sorts]
        return Batch(self._ids(times), times, keys, places, words, {"port": np.full(number, 443)})

    def _rollups(self, times: Numbers) -> Batch:
        number = len(times)
        service, network = self._pick(SERVICES, number), self._draw.integers(0, 2, number)
        sorts, places = _different(service, network, self._pick(GROUPS, number))
        count = self._draw.integers(1, 200, number)
        numbers = {"seconds": np.full(number, 60), "count": count}
        keys = [_rollup_sort(*sort) for sort in sorts]
        return Batch(self._ids(times), times, keys, places, numbers=numbers)

    def _ids(self, times: Numbers) -> list[bytes]:
        """UUIDs of version 7: milliseconds, then chance."""
        drawn = self._draw.integers(0, 256, (len(times), 16), np.uint8)
        drawn[:, :6] = (times // 1000).astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
        drawn[:, 6] = 0x70 | drawn[:, 6] & 0x0F
        drawn[:, 8] = 0x80 | drawn[:, 8] & 0x3F
        return [row.tobytes() for row in drawn]


def _different(*columns: Numbers) -> tuple[list[list[int]], Numbers]:
    """The different rows of some columns, and the place of each row among them."""
    rows, places = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)
    return rows.tolist(), places.reshape(-1)


def _known(service: int, network: int) -> SortKey:
    control, location = CONTROLS[service % 6], LOCATIONS[(service + network) % 4]
    return control, location, 1000 + service * 2 + network


def _event_sort(service: int, network: int, group: int, action: int) -> SortKey:
    said, outcome, decrypted = ACTIONS[action]
    name = f"service-{service}"
    standing = Standing.ABROAD if service % 3 else Standing.HOSTED_HERE_CONTROLLED_ABROAD
    what = (False, EventKind.DECISION, f"group-{group}", name, name, *_known(service, network))
    rule, node = f"rule-{service % 12}", f"proxy-{group % 3}"
    return (*what, said, rule, node, standing, outcome, decrypted)


def _rollup_sort(service: int, network: int, group: int) -> SortKey:
    known = (("FR",), *_known(service, network)[1:])
    what = (True, EventKind.DECISION, f"group-{group}", f"service-{service}", "", *known)
    rule, node = f"rule-{service % 12}", f"proxy-{group % 3}"
    return (*what, Action.ALLOW, rule, node, Standing.SOVEREIGN, "", False)
