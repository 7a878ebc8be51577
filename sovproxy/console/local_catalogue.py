"""The local half of the catalogue: add services and operators, say shipped ones otherwise, undo."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, get_args

from fastapi import APIRouter, HTTPException, Response

from sovproxy.atlas import schema
from sovproxy.console.failures import Refused
from sovproxy.console.forms import CheckedForm  # noqa: TC001  # FastAPI reads annotations
from sovproxy.console.frame import render
from sovproxy.console.links import link
from sovproxy.console.notices import done
from sovproxy.console.view import SignedInView  # noqa: TC001  # FastAPI reads annotations
from sovproxy.decide.words import Verification
from sovproxy.errors import InvalidFile
from sovproxy.prompt.languages import mark
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.policy.local_catalogue import (
    MAX_TEXT,
    Kind,
    LocalCatalogue,
    NoSuchEntry,
    to_yaml,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sovproxy.console.view import View

router = APIRouter(prefix="/catalogue/local")

_SAVED: Final = mark("%(name)s is saved. It is in use within two seconds.")
_UNDONE: Final = mark("The local entry %(name)s is taken away.")
_FIELDS: Final = {
    Kind.SERVICES: (
        "id", "name", "category", "operator", "stance", "url", "alternatives", "hosts",
        "source", "as_of", "verification",
    ),
    Kind.OPERATORS: ("id", "name", "country", "parents", "source", "as_of", "verification"),
}  # fmt: skip


@router.get("")
def entries_page(view: SignedInView) -> Response:
    """List the local entries."""
    found = _catalogue(view).entries()
    return render(view, "local_catalogue.html", entries=found, names=_names(view))


@router.get("/new/{kind}")
def new_page(kind: Kind, view: SignedInView) -> Response:
    """Show the form for an entry; what is known of it stands in the URL."""
    _require_admin(view)
    params = view.request.query_params
    return _form_page(view, kind, {name: params.get(name, "")[:500] for name in _FIELDS[kind]})


@router.post("/new/{kind}")
def add(kind: Kind, view: SignedInView, form: CheckedForm) -> Response:
    """Add an entry from its fields."""
    _require_admin(view)
    given = {name: form.get(name, "").strip() for name in _FIELDS[kind]}
    key = given["id"]
    if key in _known(view, kind):
        problem = view.language.say(
            "There is an entry %(name)s already: change that one.", name=key
        )
        return _form_page(view, kind, given, problem)
    try:
        entry = _service(given) if kind is Kind.SERVICES else _operator_group(given)
        _catalogue(view).put(view.store, view.principal, kind, key, to_yaml(entry))
    except (InvalidFile, ValueError) as error:
        return _form_page(view, kind, given, str(error))
    return done(view, "/catalogue/local", _SAVED, name=given["name"] or key)


@router.get("/{kind}/{entry_id}")
def edit_page(kind: Kind, entry_id: str, view: SignedInView) -> Response:
    """Show an entry as text: the local one, or the shipped one to say it otherwise."""
    catalogue = _catalogue(view)
    shipped = catalogue.shipped(kind, entry_id)
    try:
        text, is_local = catalogue.find(kind, entry_id).text, True
    except NoSuchEntry:
        text, is_local = shipped, False
    if not text:
        raise HTTPException(404)
    return _text_page(view, kind, entry_id, text, is_local=is_local)


@router.post("/{kind}/{entry_id}")
def save(kind: Kind, entry_id: str, view: SignedInView, form: CheckedForm) -> Response:
    """Save an entry as text."""
    _require_admin(view)
    text = form.get("text", "").replace("\r\n", "\n")
    try:
        _catalogue(view).put(view.store, view.principal, kind, entry_id, text)
    except InvalidFile as error:
        return _text_page(view, kind, entry_id, text, is_local=True, problem=str(error))
    return done(view, "/catalogue/local", _SAVED, name=entry_id)


@router.post("/{kind}/{entry_id}/undo")
def undo(kind: Kind, entry_id: str, view: SignedInView, form: CheckedForm) -> Response:
    """Take a local entry away."""
    _ = form
    _require_admin(view)
    try:
        _catalogue(view).remove(view.store, view.principal, kind, entry_id)
    except NoSuchEntry:
        raise HTTPException(404) from None
    except InvalidFile as error:
        text = _catalogue(view).find(kind, entry_id).text
        return _text_page(view, kind, entry_id, text, is_local=True, problem=str(error))
    return done(view, "/catalogue/local", _UNDONE, name=entry_id)


def _form_page(view: View, kind: Kind, given: Mapping[str, str], problem: str = "") -> Response:
    atlas = view.judge.atlas
    return render(
        view,
        "local_new.html",
        422 if problem else 200,
        kind=kind.value,
        given=given,
        problem=problem,
        categories=get_args(schema.Category.__value__),
        stances=get_args(schema.Stance.__value__),
        levels=[level.value for level in Verification],
        operators=sorted(atlas.operators.values(), key=lambda item: item.name.lower()),
    )


def _text_page(
    view: View, kind: Kind, key: str, text: str, *, is_local: bool, problem: str = ""
) -> Response:
    catalogue = _catalogue(view)
    path = "services" if kind is Kind.SERVICES else "operators"
    return render(
        view,
        "local_entry.html",
        422 if problem else 200,
        kind=kind.value,
        key=key,
        text=text,
        is_local=is_local,
        replaces=bool(catalogue.shipped(kind, key)),
        problem=problem,
        shown_at=link(f"/catalogue/{path}/{key}") if key in _known(view, kind) else "",
        max_text=MAX_TEXT,
    )


def _service(given: Mapping[str, str]) -> dict[str, Any]:
    entry = {key: given[key] for key in ("id", "name", "category", "operator", "stance", "url")}
    listed = {"alternatives": _several(given["alternatives"])}
    hosts = [{**_fact(given), "names": _several(given["hosts"].lower())}]
    return {key: value for key, value in (entry | listed | {"hosts": hosts}).items() if value}


def _operator_group(given: Mapping[str, str]) -> dict[str, Any]:
    entry = {"id": given["id"], "name": given["name"], "country": given["country"].upper()}
    owned = {"parents": _several(given["parents"])}
    return {"group": given["id"], "operators": [{**entry, **owned, **_fact(given)}]}


def _fact(given: Mapping[str, str]) -> dict[str, Any]:
    """Source, day and verification. Raises ValueError for a day that is none."""
    day = {"as_of": date.fromisoformat(given["as_of"])} if given["as_of"] else {}
    return {"source": given["source"], **day, "verification": given["verification"]}


def _several(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _known(view: View, kind: Kind) -> Mapping[str, Any]:
    atlas = view.judge.atlas
    return atlas.services if kind is Kind.SERVICES else atlas.operators


def _names(view: View) -> dict[tuple[str, str], str]:
    """What entries are called, by kind and id."""
    return {
        (kind.value, key): item.name for kind in Kind for key, item in _known(view, kind).items()
    }


def _catalogue(view: View) -> LocalCatalogue:
    found = view.console.services.local_catalogue
    if found is None:
        raise HTTPException(404)
    return found


def _require_admin(view: View) -> None:
    if view.principal.role is not Role.ADMIN:
        raise Refused(403, "only an admin changes the catalogue")
