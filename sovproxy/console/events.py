"""Events: search with facets and histogram, and one event. Tail and export are the API's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003  # FastAPI reads annotations

from fastapi import APIRouter, HTTPException, Response

from sovproxy.console.charts import ORDER, columns
from sovproxy.console.failures import Refused
from sovproxy.console.filters import NONE, SPANS, read_search
from sovproxy.console.frame import Shown, render
from sovproxy.console.names import Names
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.store.filters import Facet
from sovproxy.store.queries import get_event
from sovproxy.usecases.analytics import InvalidRange, facets, histogram
from sovproxy.usecases.auditing import Act, given, record_act
from sovproxy.usecases.searching import InvalidCursor, search_page

if TYPE_CHECKING:
    from sovproxy.console.view import View

router = APIRouter(prefix="/events")

PAGE: Final = 50
FACET_VALUES: Final = 8
EXPORTS: Final = {
    "csv": "CSV",
    "jsonl": "JSON Lines",
    "parquet": "Parquet",
    "ecs": "ECS",
    "ocsf": "OCSF",
}
_FACETS: Final = (
    Facet.STANDING,
    Facet.ACTION,
    Facet.SERVICE,
    Facet.CONTROL,
    Facet.GROUP,
    Facet.RULE,
    Facet.OPERATOR,
    Facet.LOCATION,
    Facet.ASN,
    Facet.NODE,
)


@router.get("")
def search_events(view: SignedInView) -> Response:
    """Show a page of a search, with its facets and its histogram."""
    search = read_search(view.request.query_params, view.now)
    wanted = search.wanted
    try:
        page = search_page(view.store, wanted, PAGE, search.cursor, search.order)
        drawn = histogram(view.store, wanted, view.now)
    except (InvalidCursor, InvalidRange) as error:
        raise Refused(400, str(error)) from None
    rows = len(page.items)
    record_act(view.store, view.principal, Act.SEARCH, given(wanted), rows=rows, now=view.now)
    return render(
        view,
        "events.html",
        search=search,
        page=page,
        histogram=columns(drawn.buckets),
        column_href=lambda bucket: search.within(
            bucket.start, bucket.start + timedelta(seconds=drawn.width)
        ),
        drawn=drawn,
        facets=facets(view.store, wanted, _FACETS, FACET_VALUES).facets,
        names=Names(view.judge.atlas, view.language),
        spans=SPANS,
        order=ORDER,
        nothing=NONE,
        choices=_choices(view),
        formats=EXPORTS,
    )


@router.get("/{event_id}")
def one_event(event_id: UUID, view: SignedInView) -> Response:
    """Show all that is held about one event."""
    event = get_event(view.store, event_id)
    if event is None:
        raise HTTPException(404)
    looked_for = {"id": str(event_id)}
    record_act(view.store, view.principal, Act.EVENT, looked_for, rows=1, now=view.now)
    search = read_search(view.request.query_params, view.now)
    values = event.model_dump(mode="json")
    names = Names(view.judge.atlas, view.language)
    return render(view, "event.html", event=event, values=values, search=search, names=names)


def _choices(view: View) -> dict[str, list[tuple[str, str]]]:
    """The values that the form offers, by field."""
    show, atlas, policy = Shown(view.language), view.judge.atlas, view.judge.policy
    services = sorted(
        ((item.id, item.name) for item in atlas.services.values()), key=lambda it: it[1].lower()
    )
    codes = {code for item in atlas.operators.values() for code in item.control}
    return {
        "action": [(action.value, show.word("action", action)) for action in ORDER],
        "standing": [
            (value, show.word("standing", value))
            for value in ("abroad", "hosted_here_controlled_abroad", "sovereign", "unknown")
        ],
        "service": services,
        "control": sorted(((code, show.country(code)) for code in codes), key=lambda it: it[1]),
        "group": [(group.id, group.id) for group in policy.groups],
    }
