"""What clients saw, compared with what is stored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy.store.counting import count_by
from sovproxy.store.database import open_store
from sovproxy.store.filters import Facet, Filter
from sovproxy.usecases.analysis.searching import FilterInput, search_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Report:
    """What became of a run. `gave_up` is how often something ended by itself, `asked` how often
    clients asked; `seen`, `stored` and what follows are numbers of events.

    `lost` was seen by a client and is not stored; `doubled` is stored more than once; `unseen` is
    stored though no client saw a byte of the answer: the connection was lost in between, or the
    node was killed between the disk and the wire. `miscounted` is how far the tallies that counts
    are made from are off what is stored.
    """

    kills: dict[str, int] = field(default_factory=dict)
    gave_up: int = 0
    seconds: float = 0.0
    asked: int = 0
    seen: int = 0
    stored: int = 0
    unseen: int = 0
    lost: int = 0
    doubled: int = 0
    miscounted: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, doubled, or counted wrongly."""
        return not (self.lost or self.doubled or self.miscounted)


def compare(seen: Iterable[str], stored: Mapping[str, int]) -> Report:
    """Compare the hosts that clients had an answer for with how often each is stored."""
    known = set(seen)
    lost = sorted(known - stored.keys())
    doubled = sorted(host for host, number in stored.items() if number > 1)
    return Report(
        seen=len(known),
        stored=sum(stored.values()),
        unseen=len(stored.keys() - known),
        lost=len(lost),
        doubled=len(doubled),
        examples=[f"lost {host}" for host in lost[:5]] + [f"doubled {one}" for one in doubled[:5]],
    )


def stored_hosts(url: str) -> tuple[Counter[str], int]:
    """How often each host is stored, and how many events the tallies have."""
    store = open_store(url)
    try:
        found = search_all(store, FilterInput())
        hosts = Counter(event.host for event in found)
        counted = sum(count.events for count in count_by(store, Facet.ACTION, Filter()))
        return hosts, counted
    finally:
        store.close()
