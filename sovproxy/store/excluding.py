"""Counts that leave hosts out. Tallies and rollups know no host, so what is left out is subtracted.

The same questions as in `sovproxy.store.counting`; ask here, and every filter is answered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sovproxy.store import counting
from sovproxy.store.counting import Count

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from sovproxy.store.counting import Counted, Totals
    from sovproxy.store.database import Store
    from sovproxy.store.filters import Facet, Filter


def counted(store: Store, wanted: Filter) -> list[Counted]:
    """As `counting.counted`. Raises StoreUnavailable."""
    return totals(store, wanted).counted()


def totals(store: Store, wanted: Filter) -> Totals:
    """As `counting.totals`. Raises StoreUnavailable."""
    less = _left_out(wanted)
    if less is None:
        return counting.totals(store, wanted)
    return counting.totals(store, _with_hosts(wanted)).minus(counting.totals(store, less))


def trend(store: Store, wanted: Filter, width: int) -> Counter[tuple[int, str]]:
    """As `counting.trend`. Raises StoreUnavailable."""
    less = _left_out(wanted)
    if less is None:
        return counting.trend(store, wanted, width)
    return counting.trend(store, _with_hosts(wanted), width) - counting.trend(store, less, width)


def count_by(store: Store, facet: Facet, wanted: Filter) -> list[Count]:
    """As `counting.count_by`. Raises StoreUnavailable."""
    return count_facets(store, (facet,), wanted)[0]


def count_facets(store: Store, facets: Sequence[Facet], wanted: Filter) -> list[list[Count]]:
    """As `counting.count_facets`. Raises StoreUnavailable."""
    less = _left_out(wanted)
    if less is None:
        return counting.count_facets(store, facets, wanted)
    everything = counting.count_facets(store, facets, _with_hosts(wanted))
    minus = counting.count_facets(store, facets, less)
    return [_minus(all_of_it, part) for all_of_it, part in zip(everything, minus, strict=True)]


def _minus(counts: Sequence[Count], less: Sequence[Count]) -> list[Count]:
    out = {item.value: item for item in less}
    nothing = Count("", 0, 0)
    result = [
        Count(
            item.value,
            item.events - out.get(item.value, nothing).events,
            item.rollups - out.get(item.value, nothing).rollups,
        )
        for item in counts
    ]
    left = (item for item in result if item.total > 0)
    return sorted(left, key=lambda item: (-item.total, item.value))


def _left_out(wanted: Filter) -> Filter | None:
    """What is to be subtracted; None where the events themselves are asked anyway."""
    if not wanted.excluded_hosts or wanted.names_hosts_or_clients:
        return None
    return replace(_with_hosts(wanted), host=wanted.excluded_hosts)


def _with_hosts(wanted: Filter) -> Filter:
    return replace(wanted, without=wanted.excluded_values)
