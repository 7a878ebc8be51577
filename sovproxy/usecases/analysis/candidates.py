"""Candidates: hosts that are seen often and that no entry of the catalogue covers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.store.meetings import MeetingCount, meeting_counts
from sovproxy.store.uncovered import UncoveredHost, uncovered_hosts
from sovproxy.usecases.analysis.suppressing import (
    SuppressionKind,
    hiding,
    leaving_out,
    suppressed_values,
    suppressions,
)
from sovproxy.usecases.worker.meetings import EPOCH, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sovproxy.store.database import Store
    from sovproxy.usecases.analysis.searching import FilterInput
    from sovproxy.usecases.analysis.suppressing import Suppression

MAX_CANDIDATES: Final = 200
_GROUPS: Final = 10


class Candidate(BaseModel):
    """A host without an entry. `events` counts what left an event; passed connections are only
    counted without their host, so they are not in it. `groups` counts them by group, `asn` and
    `operator` are those of most events. `meetings` counts what extensions told of meetings there,
    if the administration has asked for that; a host of which nothing else is known has the
    beginnings of the first and last day in `first` and `last`.
    """

    host: str = Field(examples=["meet.example.org"])
    events: int = Field(examples=[1204])
    clients: int = Field(examples=[31])
    groups: dict[str, int] = Field(examples=[{"finance": 900, "legal": 304}])
    first: datetime
    last: datetime
    asn: int = Field(examples=[16509])
    operator: str = Field(examples=["amazon"])
    meetings: int = Field(default=0, examples=[17])


class CandidateList(BaseModel):
    """Candidates, the most frequent first, and how many suppressions were applied."""

    items: list[Candidate]
    suppressed: int = Field(examples=[3])


def candidates(
    store: Store,
    wanted: FilterInput,
    now: datetime,
    *,
    covered: Callable[[str], bool] = lambda _: False,
    limit: int = 50,
) -> CandidateList:
    """The hosts of events that no service covered then, and none covers now; then those that only
    extensions have told meetings of.

    `covered` tells whether the catalogue of today has an entry for a host; what is suppressed is
    left out. Raises StoreUnavailable.
    """
    hidden = hiding(wanted, suppressions(store, now))
    asked = leaving_out(wanted, hidden).to_filter()
    most = min(2 * limit, 2 * MAX_CANDIDATES)
    found = uncovered_hosts(store, asked, most)
    met = _meetings(store, wanted, hidden, now, most)
    items = [_candidate(item, met.pop(item.host, None)) for item in found]
    items += map(_only_met, met.values())
    kept = [item for item in items if not covered(item.host)]
    return CandidateList(items=kept[:limit], suppressed=len(hidden))


def _meetings(
    store: Store, wanted: FilterInput, hidden: Sequence[Suppression], now: datetime, most: int
) -> dict[str, MeetingCount]:
    """Counts by host, most frequent first. They have a day and a host, and nothing else that a
    search could be narrowed by: then there are none."""
    if wanted.model_dump(exclude_defaults=True).keys() - {"since", "until"}:
        return {}
    hosts = suppressed_values(hidden, SuppressionKind.HOST)
    first = day_of(wanted.since) if wanted.since else 0
    found = meeting_counts(store, first, day_of(wanted.until or now), most)
    return {item.host: item for item in found if not _is_hidden(item.host, hosts)}


def _is_hidden(host: str, hosts: Iterable[str]) -> bool:
    below = tuple(name for name in hosts if name.startswith("."))
    return host in hosts or f".{host}".endswith(below)


def _only_met(item: MeetingCount) -> Candidate:
    return Candidate(
        host=item.host,
        events=0,
        clients=0,
        groups={},
        first=EPOCH + timedelta(days=item.first),
        last=EPOCH + timedelta(days=item.last),
        asn=0,
        operator="",
        meetings=item.number,
    )


def _candidate(item: UncoveredHost, met: MeetingCount | None) -> Candidate:
    [((asn, operator), _)] = item.places.most_common(1)
    return Candidate(
        host=item.host,
        events=item.events,
        clients=item.clients,
        groups=dict(item.groups.most_common(_GROUPS)),
        first=item.first,
        last=item.last,
        asn=asn,
        operator=operator,
        meetings=met.number if met else 0,
    )
