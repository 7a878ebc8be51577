"""Which services that the trust zone does not control were used, and by which groups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.decide.words import Action, Standing
from sovproxy.store.records import split_control

if TYPE_CHECKING:
    from sovproxy.store.counting import Totals

OUTSIDE: Final = (Standing.ABROAD, Standing.HOSTED_HERE_CONTROLLED_ABROAD)
"""The standings of what the trust zone does not control."""

MAX_SERVICES: Final = 25
MAX_GROUPS: Final = 20


class GroupUse(BaseModel):
    """How many connections of one group; an empty group is one that is not known."""

    group: str = Field(examples=["finance"])
    count: int = Field(examples=[16])


class Exposure(BaseModel):
    """One service outside the trust zone, who used it, and what the policy did, most first.

    An empty service stands for destinations that no entry of the catalogue covers, by control.
    """

    service: str = Field(examples=["zoom"])
    control: list[str] = Field(examples=[["US"]])
    count: int = Field(examples=[1204])
    groups: list[GroupUse] = Field(description="The 20 that used it most.")
    other_groups: int = Field(description="How many groups were cut off.", examples=[0])
    other_count: int = Field(description="How many connections those had together.", examples=[0])
    actions: list[Action] = Field(examples=[["block", "warn"]])


class Outside(BaseModel):
    """All that the trust zone does not control: how much, and the 25 services used most."""

    connections: int = Field(examples=[286])
    services: int = Field(examples=[7])
    groups: int = Field(examples=[5])
    items: list[Exposure]
    others: int = Field(description="How many services, or controls, were cut off.", examples=[0])


@dataclass(slots=True)
class _Sum:
    count: int = 0
    groups: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)


def outside_of(found: Totals) -> Outside:
    """Sum up what was counted by service and control."""
    sums: dict[tuple[str, str], _Sum] = {}
    fields = found.by("standing", "service", "control", "group", "action")
    for (standing, service, control, group, action), number in fields.items():
        if standing in OUTSIDE:
            one = sums.setdefault((service, control), _Sum())
            one.count += number
            one.groups[group] += number
            one.actions[action] += number
    order = sorted(sums, key=lambda key: (not key[0], -sums[key].count, key))
    return Outside(
        connections=sum(one.count for one in sums.values()),
        services=len({service for service, _ in sums if service}),
        groups=len({group for one in sums.values() for group in one.groups}),
        items=[_exposure(*key, sums[key]) for key in order[:MAX_SERVICES]],
        others=max(len(order) - MAX_SERVICES, 0),
    )


def _exposure(service: str, control: str, one: _Sum) -> Exposure:
    groups = one.groups.most_common(MAX_GROUPS)
    shown = sum(count for _, count in groups)
    return Exposure(
        service=service,
        control=list(split_control(control)),
        count=one.count,
        groups=[GroupUse(group=group, count=count) for group, count in groups],
        other_groups=len(one.groups) - len(groups),
        other_count=one.count - shown,
        actions=[Action(action) for action, _ in one.actions.most_common()],
    )
