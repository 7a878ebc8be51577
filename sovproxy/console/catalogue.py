"""The catalogue: services, operators and powers with their sources, and what is weak in it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response

from sovproxy.console.frame import render
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.decide.words import Verification
from sovproxy.usecases.policy.local_catalogue import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sovproxy.atlas.load import Atlas
    from sovproxy.console.view import View
    from sovproxy.decide.facts import Listing, Service

router = APIRouter(prefix="/catalogue")

MAX_QUERY = 200


@router.get("")
def services_page(view: SignedInView) -> Response:
    """List the services that fit a text, a category and a country of control."""
    params, atlas = view.request.query_params, view.judge.atlas
    text = params.get("q", "").strip()[:MAX_QUERY].lower()
    category, control = params.get("category", ""), params.get("control", "")
    hosts = _hosts(atlas)
    found = [
        service
        for service in atlas.services.values()
        if (not category or service.category == category)
        and (not control or control in service.operator.control)
        and (not text or _mentions(service, hosts.get(service.id, ()), text))
    ]
    return render(
        view,
        "catalogue.html",
        found=sorted(found, key=lambda service: service.name.lower()),
        hosts=hosts,
        asked={"q": params.get("q", "")[:MAX_QUERY], "category": category, "control": control},
        categories=sorted({service.category for service in atlas.services.values()}),
        countries=sorted(
            {code for service in atlas.services.values() for code in service.operator.control}
        ),
    )


@router.get("/services/{service_id}")
def service_page(service_id: str, view: SignedInView) -> Response:
    """Show one service: what is known, where from, and which powers reach it."""
    atlas = view.judge.atlas
    service = atlas.services.get(service_id)
    if service is None:
        raise HTTPException(404)
    return render(
        view,
        "service.html",
        service=service,
        details=atlas.details[service_id],
        is_local=is_local(view, Kind.SERVICES, service_id),
        facts=_by_source(item for item in _listings(atlas) if item.service is service),
        powers=[item for item in atlas.powers if item.country in service.operator.control],
        aside=[item for item in atlas.set_aside.values() if item.service == service_id],
        atlas=atlas,
    )


@router.get("/operators")
def operators_page(view: SignedInView) -> Response:
    """List the operators that fit a text."""
    text = view.request.query_params.get("q", "").strip()[:MAX_QUERY]
    atlas = view.judge.atlas
    found = [
        operator
        for operator in atlas.operators.values()
        if text.lower() in f"{operator.id} {operator.name} {operator.country}".lower()
    ]
    found.sort(key=lambda operator: operator.name.lower())
    return render(view, "operators.html", found=found, text=text, run=_run_by(atlas))


@router.get("/operators/{operator_id}")
def operator_page(operator_id: str, view: SignedInView) -> Response:
    """Show one operator: parents, networks, services."""
    atlas = view.judge.atlas
    operator = atlas.operators.get(operator_id)
    if operator is None:
        raise HTTPException(404)
    return render(
        view,
        "operator.html",
        operator=operator,
        is_local=is_local(view, Kind.OPERATORS, operator_id),
        services=_run_by(atlas).get(operator_id, []),
        networks=sorted(asn for asn, item in atlas.operators_by_asn.items() if item is operator),
        below=[item for item in atlas.operators.values() if operator in item.parents],
        notes=atlas.operator_notes.get(operator_id, ""),
        powers=[item for item in atlas.powers if item.country in operator.control],
    )


@router.get("/powers")
def powers_page(view: SignedInView) -> Response:
    """List the powers by country."""
    powers = sorted(view.judge.atlas.powers, key=lambda power: (power.country, power.year))
    return render(view, "powers.html", powers=powers)


@router.get("/report")
def report_page(view: SignedInView) -> Response:
    """Report recalled facts and prefixes set aside."""
    atlas = view.judge.atlas
    recalled = [item for item in _listings(atlas) if item.verification is Verification.RECALLED]
    recalled.sort(key=_service_id)
    operators = [
        item for item in atlas.operators.values() if item.verification is Verification.RECALLED
    ]
    return render(
        view,
        "report.html",
        recalled=[(key, list(items)) for key, items in groupby(recalled, _service_id)],
        operators=operators,
        aside=sorted(atlas.set_aside.values(), key=lambda item: (item.service, item.prefix)),
        atlas=atlas,
    )


def is_local(view: View, kind: Kind, key: str) -> bool:
    """Whether this administration has an entry of its own under this id."""
    found = view.console.services.local_catalogue
    return found is not None and (found.folder / kind / f"{key}.yaml").is_file()


def _listings(atlas: Atlas) -> list[Listing]:
    return [*atlas.listings, *(item.listing for item in atlas.port_listings)]


def _service_id(listing: Listing) -> str:
    return listing.service.id if listing.service else ""


def _hosts(atlas: Atlas) -> dict[str, list[str]]:
    hosts: dict[str, list[str]] = {}
    for listing in _listings(atlas):
        if listing.service:
            hosts.setdefault(listing.service.id, []).append(listing.pattern)
    return hosts


def _mentions(service: Service, patterns: Sequence[str], text: str) -> bool:
    words = (service.id, service.name, service.operator.name, *patterns)
    return any(text in word.lower() for word in words)


def _by_source(listings: Iterable[Listing]) -> list[tuple[Listing, list[str]]]:
    """The patterns that one source names together, under the first of their listings."""
    groups: dict[tuple[str, str, str, str], list[Listing]] = {}
    for item in listings:
        key = (item.kind, item.source.title, item.source.as_of, item.verification)
        groups.setdefault(key, []).append(item)
    return [(items[0], [item.pattern for item in items]) for items in groups.values()]


def _run_by(atlas: Atlas) -> dict[str, list[Service]]:
    run: dict[str, list[Service]] = {}
    for service in atlas.services.values():
        run.setdefault(service.operator.id, []).append(service)
    return run
