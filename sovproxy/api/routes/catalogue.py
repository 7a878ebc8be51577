"""The local half of the catalogue: entries of one's own, and shipped ones said otherwise."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from sovproxy.api.access import allow
from sovproxy.api.problems import ApiProblem
from sovproxy.api.services import Services, ServicesDep  # noqa: TC001  # FastAPI reads them
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.policy.local_catalogue import MAX_TEXT, Kind, LocalCatalogue, NoSuchEntry

router = APIRouter(prefix="/api/v1/catalogue/local", tags=["catalogue"])

Reader = allow(Role.ANALYST, Role.ADMIN, Role.AUDITOR)
Admin = Annotated[Principal, allow(Role.ADMIN)]
EntryId = Annotated[str, InPath(max_length=100, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
_EXAMPLE = "id: meet-example\nname: Meet Example\n…"


class EntryInput(BaseModel):
    """An entry as the YAML that a file of the catalogue would hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=MAX_TEXT, examples=[_EXAMPLE])


class Entry(BaseModel):
    """A local entry. `replaces`: a shipped entry of this id stands behind it."""

    kind: Kind
    id: str = Field(examples=["meet-example"])
    text: str = Field(examples=[_EXAMPLE])
    replaces: bool


class Entries(BaseModel):
    """All local entries, by kind and id."""

    items: list[Entry]


@router.get("", dependencies=[Reader])
def entries(services: ServicesDep) -> Entries:
    """List the local entries."""
    found = _catalogue(services).entries()
    return Entries(
        items=[Entry(kind=e.kind, id=e.id, text=e.text, replaces=e.replaces) for e in found]
    )


@router.get("/{kind}/{entry_id}", dependencies=[Reader])
def entry(kind: Kind, entry_id: EntryId, services: ServicesDep) -> Entry:
    """Give one local entry."""
    try:
        found = _catalogue(services).find(kind, entry_id)
    except NoSuchEntry as error:
        raise ApiProblem(404, "not-found", str(error)) from None
    return Entry(kind=found.kind, id=found.id, text=found.text, replaces=found.replaces)


@router.put("/{kind}/{entry_id}", status_code=204, response_class=Response)
def put(
    kind: Kind, entry_id: EntryId, body: EntryInput, services: ServicesDep, principal: Admin
) -> None:
    """Add an entry, or replace one whole; in use within two seconds, at other nodes in three.

    Refused, with every problem and its line, unless shipped and local entries together still make
    a catalogue.
    """
    _catalogue(services).put(services.store, principal, kind, entry_id, body.text)


@router.delete("/{kind}/{entry_id}", status_code=204, response_class=Response)
def remove(kind: Kind, entry_id: EntryId, services: ServicesDep, principal: Admin) -> None:
    """Take a local entry away: a shipped one of the same id is in use again."""
    try:
        _catalogue(services).remove(services.store, principal, kind, entry_id)
    except NoSuchEntry as error:
        raise ApiProblem(404, "not-found", str(error)) from None


def _catalogue(services: Services) -> LocalCatalogue:
    if services.local_catalogue is None:
        raise ApiProblem(404, "not-found", "this installation has no local catalogue")
    return services.local_catalogue
