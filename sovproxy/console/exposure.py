"""Which services that the trust zone does not control were used, and by which groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sovproxy.decide.words import Standing
from sovproxy.store.counting import counted, decisions
from sovproxy.store.records import split_control

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sovproxy.store.counting import Counted
    from sovproxy.store.database import Store
    from sovproxy.store.filters import Filter

OUTSIDE = (Standing.ABROAD, Standing.HOSTED_HERE_CONTROLLED_ABROAD)
"""The standings of what the trust zone does not control."""


@dataclass(slots=True)
class Exposure:
    """One service outside the trust zone: connections in all, by group and by action."""

    service: str
    control: tuple[str, ...]
    count: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)


def exposures(store: Store, wanted: Filter) -> list[Exposure]:
    """The services outside the trust zone, most used first. Raises StoreUnavailable."""
    found: dict[tuple[str, str], Exposure] = {}
    for item in decisions(counted(store, wanted), wanted):
        sort = item.sort
        if sort.standing not in OUTSIDE:
            continue
        key = (sort.service, sort.control)
        one = found.setdefault(key, Exposure(sort.service, split_control(sort.control)))
        _add(one, item)
    return sorted(found.values(), key=lambda one: (not one.service, -one.count, one.service))


def _add(one: Exposure, item: Counted) -> None:
    one.count += item.number
    one.groups[item.sort.group] += item.number
    one.actions[item.sort.action] += item.number


def groups_of(found: Iterable[Exposure]) -> set[str]:
    """All groups that used any of them."""
    return {group for one in found for group in one.groups}
