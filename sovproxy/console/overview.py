"""The first page: who controls the traffic, and what is outside the trust zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from sovproxy.console.charts import BLOCK_WIDTH, LEVELS, ORDER, columns, flow_chart
from sovproxy.console.exposure import OUTSIDE, exposures, groups_of
from sovproxy.console.failures import Refused
from sovproxy.console.frame import render
from sovproxy.console.links import link
from sovproxy.console.names import Names
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.analytics import OTHER, Range, overview
from sovproxy.usecases.searching import FilterInput

if TYPE_CHECKING:
    from sovproxy.console.view import View

router = APIRouter()


@router.get("/")
def overview_page(view: SignedInView) -> Response:
    """Show the overview of a range of time."""
    span = _span(view)
    found = overview(view.store, span, view.now, FilterInput())
    wanted = FilterInput(since=found.since, until=found.until).to_filter()
    outside = exposures(view.store, wanted)
    return render(
        view,
        "overview.html",
        spans=tuple(Range),
        found=found,
        trend=columns(found.trend, 240.0),
        flow=flow_chart(found.flows),
        levels=LEVELS,
        block=BLOCK_WIDTH,
        order=ORDER,
        other=OTHER,
        outside=outside,
        outside_groups=groups_of(outside),
        outside_values=OUTSIDE,
        names=Names(view.judge.atlas, view.language),
        to_events=lambda **fields: link("/events", {"last": span.value} | fields),
    )


def _span(view: View) -> Range:
    asked = view.request.query_params.get("range", Range.DAY.value)
    try:
        return Range(asked)
    except ValueError:
        raise Refused(400, f"range: one of {', '.join(Range)} is wanted") from None
