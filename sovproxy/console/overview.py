"""The first page: who controls the traffic, and what is outside the trust zone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Response

from sovproxy.console.charts import ORDER, columns
from sovproxy.console.failures import Refused
from sovproxy.console.flows import FlowRows
from sovproxy.console.frame import render
from sovproxy.console.links import link
from sovproxy.console.names import Names
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.analysis.analytics import Bucket, Overview, Range, new_in_range, overview
from sovproxy.usecases.analysis.exposure import OUTSIDE
from sovproxy.usecases.analysis.searching import FilterInput

if TYPE_CHECKING:
    from sovproxy.console.view import View

router = APIRouter()

WEEK: Final = timedelta(days=7)
"""So far back at least the page looks for what is new."""


@router.get("/")
def overview_page(view: SignedInView) -> Response:
    """Show the overview of a range of time."""
    found = overview(view.store, _span(view), view.now, FilterInput())
    new_since = min(found.since, view.now - WEEK)
    return render(
        view,
        "overview.html",
        spans=tuple(Range),
        found=found,
        order=ORDER,
        outside=found.outside,
        new_since=new_since,
        new=new_in_range(view.store, new_since, view.now, view.now),
        outside_values=OUTSIDE,
        **_pictures(view, found),
    )


def _pictures(view: View, found: Overview) -> dict[str, Any]:
    """What the charts show, and where their marks lead: nowhere for who may not see events."""

    def to_events(**fields: Any) -> str:  # noqa: ANN401  # one value of a field, or several
        given = {"last": found.range.value} | fields
        return link("/events", given) if view.may_see_events else ""

    def within(bucket: Bucket) -> str:
        if not view.may_see_events:
            return ""
        until = bucket.start + timedelta(seconds=found.trend.width)
        times = {"since": bucket.start, "until": until}
        return link("/events", {name: f"{time:%Y-%m-%dT%H:%M:%SZ}" for name, time in times.items()})

    names = Names(view.judge.atlas, view.language)
    rows = FlowRows(names, frozenset(view.judge.policy.trust_zone), to_events)
    return {
        "names": names,
        "to_events": to_events,
        "flow_rows": rows.rows(found.flows),
        "flow_summary": rows.summary(found.flows),
        "trend": columns(found.trend.buckets),
        "trend_href": within,
    }


def _span(view: View) -> Range:
    asked = view.request.query_params.get("range", Range.DAY.value)
    try:
        return Range(asked)
    except ValueError:
        raise Refused(400, f"range: one of {', '.join(Range)} is wanted") from None
