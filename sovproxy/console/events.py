"""Events: search with facets and histogram, and one event. Tail and export are the API's."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID  # noqa: TC003  # FastAPI reads annotations

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

from sovproxy.console.charts import ORDER, columns
from sovproxy.console.failures import Refused
from sovproxy.console.filters import SPANS, Search, read_search, to_events
from sovproxy.console.frame import Shown, render
from sovproxy.console.links import link
from sovproxy.console.marked import MARKABLE, marked, things_of
from sovproxy.console.names import Names
from sovproxy.console.view import EventsView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.decide.words import Action
from sovproxy.events.event import EventKind, Outcome, Transport
from sovproxy.store.filters import Facet
from sovproxy.store.queries import get_event
from sovproxy.usecases.access.auditing import Act, given, record_act
from sovproxy.usecases.analysis.analytics import InvalidRange, facets, histogram
from sovproxy.usecases.analysis.search_words import (
    COLUMNS,
    DEFAULT_SPAN,
    MAX_TEXT,
    NONE,
    InvalidSearch,
    read_text,
)
from sovproxy.usecases.analysis.searching import (
    FilterInput,
    InvalidCursor,
    count_connections,
    search_page,
)
from sovproxy.usecases.analysis.suppressing import hiding, leaving_out, suppressions
from sovproxy.usecases.analysis.views import first_view, list_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.console.view import View
    from sovproxy.usecases.analysis.analytics import Histogram
    from sovproxy.usecases.analysis.searching import Counts
    from sovproxy.usecases.analysis.suppressing import Suppression

router = APIRouter(prefix="/events")

PAGE: Final = 50
FACET_VALUES: Final = 8
UNFOLDED_VALUES: Final = 200
"""So many values has the facet that the URL asks more of."""
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
def search_events(view: EventsView) -> Response:
    """Show a page of a search, with its facets and its histogram."""
    if going := _elsewhere(view):
        return going
    search = read_search(view.request.query_params, view.now)
    hidden = (
        [] if search.shows_suppressed else hiding(search.wanted, suppressions(view.store, view.now))
    )
    wanted = leaving_out(search.wanted, hidden)
    try:
        page = search_page(view.store, wanted, PAGE, search.cursor, search.order)
        drawn = histogram(view.store, wanted, view.now)
    except (InvalidCursor, InvalidRange) as error:
        raise Refused(400, str(error)) from None
    rows = len(page.items)
    record_act(view.store, view.principal, Act.SEARCH, given(wanted), rows=rows, now=view.now)
    return _shown(view, search, wanted, hidden, page=page, drawn=drawn)


def _shown(
    view: View,
    search: Search,
    wanted: FilterInput,
    hidden: Sequence[Suppression],
    **found: Any,  # noqa: ANN401  # templates take anything
) -> Response:
    drawn: Histogram = found["drawn"]
    counted = _facets(view, search, wanted)
    return render(
        view,
        "events.html",
        **found,
        search=search,
        histogram=columns(drawn.buckets),
        column_href=lambda bucket: search.within(
            bucket.start, bucket.start + timedelta(seconds=drawn.width)
        ),
        facets=counted,
        marked=marked(view.store, found["page"].items, counted),
        markable=MARKABLE,
        hidden=hidden,
        hidden_events=_events(view, search.wanted) - _events(view, wanted) if hidden else 0,
        saved=list_views(view.store, view.principal),
        names=Names(view.judge.atlas, view.language),
        spans=SPANS,
        order=ORDER,
        nothing=NONE,
        all_columns=COLUMNS,
        choices=_choices(view),
        formats=EXPORTS,
    )


def _facets(view: View, search: Search, wanted: FilterInput) -> list[Counts]:
    """The top values of each facet, and many more of the one that was unfolded."""
    counted = facets(view.store, wanted, _FACETS, FACET_VALUES).facets
    asked = [facet for facet in _FACETS if facet == search.facet]
    unfolded = facets(view.store, wanted, asked, UNFOLDED_VALUES).facets if asked else []
    return [next((one for one in unfolded if one.by == each.by), each) for each in counted]


def _elsewhere(view: View) -> Response | None:
    """What was typed becomes an address; without anything, one's first view is opened."""
    params = view.request.query_params
    if "q" in params:
        return _typed(view, params["q"])
    first = None if params else first_view(view.store, view.principal)
    if first and first.query:
        return RedirectResponse(f"{link('/events')}?{first.query}", HTTPStatus.SEE_OTHER)
    return None


def _typed(view: View, text: str) -> Response:
    try:
        found = read_text(text.strip(), view.now)
    except InvalidSearch as error:
        search = Search((), FilterInput(), DEFAULT_SPAN)
        said = {"typed": text[:MAX_TEXT], "problem": str(error), "token": error.token[:80]}
        return render(view, "events_typed.html", 400, search=search, **said)
    others = read_search(view.request.query_params, view.now).of_the_list()
    pairs = [*found, *others] or [("last", DEFAULT_SPAN)]
    return RedirectResponse(to_events(pairs), HTTPStatus.SEE_OTHER)


def _events(view: View, wanted: FilterInput) -> int:
    counts = count_connections(view.store, wanted, Facet.ACTION, len(Action))
    return sum(item.events for item in counts.items)


@router.get("/{event_id}")
def one_event(event_id: UUID, view: EventsView) -> Response:
    """Show all that is held about one event."""
    event = get_event(view.store, event_id)
    looked_for, rows = {"id": str(event_id)}, int(event is not None)
    record_act(view.store, view.principal, Act.EVENT, looked_for, rows=rows, now=view.now)
    if event is None:
        raise HTTPException(404)
    return render(
        view,
        "event.html",
        event=event,
        values=event.model_dump(mode="json"),
        search=read_search(view.request.query_params, view.now),
        names=Names(view.judge.atlas, view.language),
        things=list(things_of(event)),
        marked=marked(view.store, [event]),
    )


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
        "operator": sorted(
            ((item.id, item.name) for item in atlas.operators.values()),
            key=lambda it: it[1].lower(),
        ),
        "location": sorted(((code, show.country(code)) for code in codes), key=lambda it: it[1]),
        "outcome": [(item.value, show.word("outcome", item)) for item in Outcome],
        "kind": [(item.value, show.word("kind", item)) for item in EventKind],
        "transport": [(item.value, show.word("transport", item)) for item in Transport],
        "decrypted": [("true", show.word("answer", "yes")), ("false", show.word("answer", "no"))],
    }
