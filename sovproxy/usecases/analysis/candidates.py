"""Candidates: hosts that are seen often and that no entry of the catalogue covers."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # the models read them
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from sovproxy.store.uncovered import UncoveredHost, uncovered_hosts
from sovproxy.usecases.analysis.suppressing import hiding, leaving_out, suppressions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sovproxy.store.database import Store
    from sovproxy.usecases.analysis.searching import FilterInput

MAX_CANDIDATES: Final = 200
_GROUPS: Final = 10


class Candidate(BaseModel):
    """A host without an entry. `events` counts what left an event; passed connections are only
    counted without their host, so they are not in it. `groups` counts them by group, `asn` and
    `operator` are those of most events.
    """

    host: str = Field(examples=["meet.example.org"])
    events: int = Field(examples=[1204])
    clients: int = Field(examples=[31])
    groups: dict[str, int] = Field(examples=[{"finance": 900, "legal": 304}])
    first: datetime
    last: datetime
    asn: int = Field(examples=[16509])
    operator: str = Field(examples=["amazon"])


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
    """The hosts of events that no service covered then, and none covers now.

    `covered` tells whether the catalogue of today has an entry for a host; what is suppressed is
    left out. Raises StoreUnavailable.
    """
    hidden = hiding(wanted, suppressions(store, now))
    asked = leaving_out(wanted, hidden).to_filter()
    found = uncovered_hosts(store, asked, min(2 * limit, 2 * MAX_CANDIDATES))
    items = [_candidate(item) for item in found if not covered(item.host)]
    return CandidateList(items=items[:limit], suppressed=len(hidden))


def _candidate(item: UncoveredHost) -> Candidate:
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
    )
