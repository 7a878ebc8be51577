"""The analyst's pictures: facets, histogram, overview."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.filters import Facet
from sovproxy.usecases.access.auditing import Act, record_if_personal
from sovproxy.usecases.access.tokens import MAY_SEE_EVENTS, Principal, Role
from sovproxy.usecases.analysis import analytics
from sovproxy.usecases.analysis.searching import FilterInput

router = APIRouter(prefix="/api/v1", tags=["analysis"])

Reader = Annotated[Principal, allow(*MAY_SEE_EVENTS)]
Counter = Annotated[Principal, allow(*MAY_SEE_EVENTS, Role.AUDITOR)]


class FacetQuery(FilterInput):
    """A filter, which facets are wanted (all without `field`), and how many values of each."""

    field: list[Facet] = Field(default=[], max_length=len(Facet), description="Facet; all if none.")
    limit: int = Field(default=10, ge=1, le=analytics.MAX_FACET_VALUES)


class HistogramQuery(FilterInput):
    """A filter, and the length of a bucket in seconds; chosen from the range if not given."""

    width: int | None = Field(default=None, ge=60, le=31 * 86400, multiple_of=60)


class OverviewQuery(FilterInput):
    """How far back to look. `since` and `until` are not used."""

    range: analytics.Range = analytics.Range.DAY


@router.get("/facets")
def facets(
    query: Annotated[FacetQuery, Query()], services: ServicesDep, principal: Reader
) -> analytics.FacetAnswer:
    """Give the top values with counts of each facet, under the filter."""
    fields = list(dict.fromkeys(query.field)) or list(Facet)
    answer = analytics.facets(services.store, query, fields, query.limit)
    rows = sum(len(facet.items) for facet in answer.facets)
    now = services.clock()
    record_if_personal(services.store, principal, Act.FACETS, query, rows=rows, now=now)
    return answer


@router.get("/histogram")
def histogram(
    query: Annotated[HistogramQuery, Query()], services: ServicesDep, principal: Reader
) -> analytics.Histogram:
    """Count connections over time by action, from events and rollups together."""
    answer = analytics.histogram(services.store, query, services.clock(), query.width)
    rows = len(answer.buckets)
    now = services.clock()
    record_if_personal(services.store, principal, Act.HISTOGRAM, query, rows=rows, now=now)
    return answer


@router.get("/overview")
def overview(
    query: Annotated[OverviewQuery, Query()], services: ServicesDep, principal: Counter
) -> analytics.Overview:
    """Give the first page in one answer; auditors get it, but not by `client`: that is a person."""
    if query.client and principal.role not in MAY_SEE_EVENTS:
        raise ApiProblem(403, "forbidden", "an auditor's overview cannot be narrowed by `client`")
    answer = analytics.overview(services.store, query.range, services.clock(), query)
    rows = len(answer.services.items)
    now = services.clock()
    record_if_personal(services.store, principal, Act.OVERVIEW, query, rows=rows, now=now)
    return answer
