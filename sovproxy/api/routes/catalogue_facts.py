"""The catalogue: services, operators, powers and alternatives, with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import ServicesDep  # noqa: TC001  # FastAPI reads annotations
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.analysis.searching import Value  # noqa: TC001  # FastAPI reads annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sovproxy.atlas.load import Atlas
    from sovproxy.decide.facts import Operator, Power, Service

router = APIRouter(prefix="/api/v1", tags=["catalogue"], dependencies=[allow(*Role)])

MAX_PAGE = 500

Id = Annotated[str, Path(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Cursor = Annotated[
    str, Field(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$", max_length=100, description="`next`.")
]


class Named(BaseModel):
    """An entry by its id and its name."""

    id: str = Field(examples=["zoom-communications"])
    name: str = Field(examples=["Zoom Communications, Inc."])


class OperatorAnswer(Named):
    """An operator. `parents` runs to the ultimate one; `control` is where it is controlled from."""

    country: str = Field(examples=["US"])
    parents: list[Named]
    control: list[str] = Field(examples=[["US"]])
    technology: list[str]
    verification: str = Field(examples=["confirmed"])
    source: str
    as_of: str = Field(examples=["2026-11-01"])


class ServiceAnswer(BaseModel):
    """A service of the catalogue. `alternatives` are ids; `patterns` the hosts and networks."""

    id: str = Field(examples=["zoom"])
    name: str = Field(examples=["Zoom"])
    category: str = Field(examples=["videoconference"])
    stance: str = Field(examples=["replace"])
    url: str
    operator: OperatorAnswer
    alternatives: list[str] = Field(examples=[["visio"]])
    patterns: list[str] = Field(examples=[["zoom.us"]])


class PowerAnswer(Named):
    """A legal power of a country that reaches abroad."""

    country: str = Field(examples=["US"])
    citation: str
    year: int = Field(examples=[2018])
    effect: str = Field(examples=["disclose"])
    status: str = Field(examples=["in_force"])
    source: str
    as_of: str


class ServicePage(BaseModel):
    """Services by id, and the cursor of the next page, or null."""

    items: list[ServiceAnswer]
    next: str | None


class OperatorPage(BaseModel):
    """Operators by id, and the cursor of the next page, or null."""

    items: list[OperatorAnswer]
    next: str | None


class PowerPage(BaseModel):
    """Powers by id, and the cursor of the next page, or null."""

    items: list[PowerAnswer]
    next: str | None


class CatalogueQuery(BaseModel):
    """A search: `q` in ids, names and patterns; where it is controlled from; where to go on."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Field(max_length=100)] = ""
    control: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9])?$")] = ""
    limit: int = Field(default=100, ge=1, le=MAX_PAGE)
    cursor: Cursor = ""


class ServiceQuery(CatalogueQuery):
    """As for operators, and by category."""

    category: Value | None = None


@router.get("/services", summary="Search services")
def services_list(query: Annotated[ServiceQuery, Query()], services: ServicesDep) -> ServicePage:
    """Give the services that fit, by id. No query gives all."""
    atlas = services.atlas()
    patterns = _patterns(atlas)
    found = [
        _service(item, patterns.get(item.id, ()))
        for item in atlas.services.values()
        if query.category in {None, item.category}
        and (not query.control or query.control in item.operator.control)
    ]
    fitting = [item for item in found if _mentions(query.q, item.id, item.name, *item.patterns)]
    items, following = _page(fitting, query.cursor, query.limit)
    return ServicePage(items=items, next=following)


@router.get("/services/{service_id}", summary="One service")
def one_service(service_id: Id, services: ServicesDep) -> ServiceAnswer:
    """Give one service with its operator and its patterns."""
    atlas = services.atlas()
    item = _found(atlas.services.get(service_id), "service")
    return _service(item, _patterns(atlas).get(service_id, ()))


@router.get("/alternatives", summary="What is offered instead")
def alternatives(query: Annotated[ServiceQuery, Query()], services: ServicesDep) -> ServicePage:
    """Give the services that others name as their alternatives, by id."""
    atlas = services.atlas()
    named = {name for item in atlas.services.values() for name in item.alternatives}
    everything = query.model_copy(update={"cursor": "", "limit": len(atlas.services)})
    page = services_list(everything, services)
    items, following = _page(
        [item for item in page.items if item.id in named], query.cursor, query.limit
    )
    return ServicePage(items=items, next=following)


@router.get("/operators", summary="Search operators")
def operators(query: Annotated[CatalogueQuery, Query()], services: ServicesDep) -> OperatorPage:
    """Give the operators that fit, by id."""
    found = [
        _operator(item)
        for item in services.atlas().operators.values()
        if (not query.control or query.control in item.control)
        and _mentions(query.q, item.id, item.name)
    ]
    items, following = _page(found, query.cursor, query.limit)
    return OperatorPage(items=items, next=following)


@router.get("/operators/{operator_id}", summary="One operator")
def one_operator(operator_id: Id, services: ServicesDep) -> OperatorAnswer:
    """Give one operator with its parents."""
    return _operator(_found(services.atlas().operators.get(operator_id), "operator"))


@router.get("/powers", summary="Search powers")
def powers(query: Annotated[CatalogueQuery, Query()], services: ServicesDep) -> PowerPage:
    """Give the powers that fit, by id; `control` is the country whose they are."""
    found = [
        _power(item)
        for item in services.atlas().powers
        if query.control in {"", item.country} and _mentions(query.q, item.id, item.name)
    ]
    items, following = _page(found, query.cursor, query.limit)
    return PowerPage(items=items, next=following)


def _page[Item: (ServiceAnswer, OperatorAnswer, PowerAnswer)](
    found: Iterable[Item], after: str, limit: int
) -> tuple[list[Item], str | None]:
    """What comes after an id; the cursor is the last id of a page, so pages stay whole."""
    rest = sorted((item for item in found if item.id > after), key=lambda item: item.id)
    return rest[:limit], rest[limit - 1].id if len(rest) > limit else None


def _found[Item](item: Item | None, what: str) -> Item:
    if item is None:
        raise ApiProblem(404, f"no-such-{what}", f"the catalogue has no {what} with this id")
    return item


def _mentions(text: str, *words: str) -> bool:
    wanted = text.strip().lower()
    return any(wanted in word.lower() for word in words)


def _patterns(atlas: Atlas) -> dict[str, list[str]]:
    """The hosts and networks of each service, by its id."""
    patterns: dict[str, list[str]] = {}
    for listing in (*atlas.listings, *(entry.listing for entry in atlas.port_listings)):
        if listing.service:
            patterns.setdefault(listing.service.id, []).append(listing.pattern)
    return patterns


def _service(item: Service, patterns: Sequence[str]) -> ServiceAnswer:
    return ServiceAnswer(
        id=item.id,
        name=item.name,
        category=item.category,
        stance=item.stance,
        url=item.url,
        operator=_operator(item.operator),
        alternatives=list(item.alternatives),
        patterns=list(patterns),
    )


def _operator(item: Operator) -> OperatorAnswer:
    return OperatorAnswer(
        id=item.id,
        name=item.name,
        country=item.country,
        parents=[Named(id=parent.id, name=parent.name) for parent in item.parents],
        control=list(item.control),
        technology=list(item.technology),
        verification=item.verification,
        source=item.source.title,
        as_of=item.source.as_of,
    )


def _power(item: Power) -> PowerAnswer:
    return PowerAnswer(
        id=item.id,
        name=item.name,
        country=item.country,
        citation=item.citation,
        year=item.year,
        effect=item.effect,
        status=item.status,
        source=item.source.title,
        as_of=item.source.as_of,
    )
