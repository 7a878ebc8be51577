"""What the policy in force does today with what a rule is proposed for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sovproxy.decide.normalise import read_destination

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sovproxy.decide.facts import Service
    from sovproxy.decide.words import Action
    from sovproxy.usecases.policy.judging import Judge

MAX_HOSTS: Final = 200
"""So many hosts of services are judged at most."""


@dataclass(frozen=True, slots=True)
class Today:
    """The strictest verdict on something today, and the rule (or rung) that it comes from."""

    action: Action
    rule: str


def today_of(judge: Judge, field: str, value: str, group: str = "") -> Today | None:
    """The strictest verdict today on a host, a service, or the services of an operator or network.

    None where the catalogue knows no host of it: then nothing can be judged.
    """
    hosts = [value.lstrip(".")] if field == "host" else list(_hosts(judge, field, value))
    verdicts = [judge.judge(read_destination(host), group) for host in hosts[:MAX_HOSTS]]
    strictest = max(verdicts, key=lambda verdict: verdict.action.strictness, default=None)
    return Today(strictest.action, strictest.rule) if strictest else None


def _hosts(judge: Judge, field: str, value: str) -> Iterator[str]:
    wanted = {service.id for service in _services(judge, field, value)}
    for listing in judge.atlas.listings:
        if listing.service and listing.service.id in wanted and "/" not in listing.pattern:
            yield listing.pattern.removeprefix("*").removeprefix(".")


def _services(judge: Judge, field: str, value: str) -> Iterable[Service]:
    atlas = judge.atlas
    if field == "service":
        return [atlas.services[value]] if value in atlas.services else []
    if field == "asn":
        found = atlas.operators_by_asn.get(int(value))
        value = found.id if found else ""
    return [item for item in atlas.services.values() if value in item.operator.chain]
