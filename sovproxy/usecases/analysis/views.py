"""Saved views: a search under a name, for oneself or for everybody, and the one to begin with."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # the models read them
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sovproxy.errors import SovproxyError
from sovproxy.store import views as rows
from sovproxy.store.tables import ViewRow
from sovproxy.store.times import from_microseconds, microseconds
from sovproxy.usecases import versions
from sovproxy.usecases.access.auditing import Act, act_entry
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.analysis.search_words import MAX_QUERY, OF_A_PAGE, read_query
from sovproxy.usecases.analysis.searching import printable, saying

if TYPE_CHECKING:
    from sovproxy.store.database import Store

MAX_VIEWS: Final = 100
"""Views of one person."""

ViewName = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(saying)]
ViewQuery = Annotated[str, Field(max_length=MAX_QUERY), AfterValidator(printable)]
ViewText = Annotated[str, Field(max_length=500), AfterValidator(printable)]


class NoSuchView(SovproxyError):
    """There is no view of this id that the caller may open."""


class NotYourView(SovproxyError):
    """The view is somebody else's; its owner or an admin may change it."""


class TooManyViews(SovproxyError):
    """The caller has as many views as one person may have."""


class ViewInput(BaseModel):
    """A view to be saved. `query` is what stands after the `?` of the events page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ViewName = Field(examples=["Zoom without finance"])
    query: ViewQuery = Field(default="", examples=["service=zoom&without=group:finance&last=7d"])
    description: ViewText = Field(default="", examples=["What is left after the move to Visio"])
    shared: bool = Field(default=False, description="Whether everybody may open it.")


class ViewChange(BaseModel):
    """What is to change of a view; what is not given stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ViewName | None = None
    query: ViewQuery | None = None
    description: ViewText | None = None
    shared: bool | None = None


class SavedView(BaseModel):
    """A view. `own` tells whether it is the caller's, `first` whether their page opens with it."""

    id: int = Field(examples=[7])
    name: str = Field(examples=["Zoom without finance"])
    query: str = Field(examples=["service=zoom&without=group%3Afinance&last=7d"])
    description: str = ""
    shared: bool = False
    owner: str = Field(examples=["Ada"])
    own: bool = True
    first: bool = False
    changed: datetime

    @property
    def etag(self) -> str:
        """What changes with every change of it; to be a caller's `first` is none."""
        return versions.etag(self.id, self.changed)


def list_views(store: Store, principal: Principal) -> list[SavedView]:
    """The views that somebody may open, by name. Raises StoreUnavailable."""
    first = rows.chosen_view(store, principal.token_id)
    found = rows.list_views(store, principal.token_id)
    return [_view(row, principal, first) for row in found]


def open_view(store: Store, principal: Principal, view_id: int) -> SavedView:
    """One view. Raises NoSuchView, StoreUnavailable."""
    row = _get(store, principal, view_id)
    return _view(row, principal, rows.chosen_view(store, principal.token_id))


def first_view(store: Store, principal: Principal) -> SavedView | None:
    """The view that somebody's page opens with, or None. Raises StoreUnavailable."""
    chosen = rows.chosen_view(store, principal.token_id)
    row = rows.get_view(store, principal.token_id, chosen) if chosen is not None else None
    return _view(row, principal, chosen) if row else None


def save_view(store: Store, principal: Principal, wanted: ViewInput, now: datetime) -> SavedView:
    """Save a view. Raises InvalidSearch, TooManyViews, StoreUnavailable."""
    at = microseconds(now)
    row = ViewRow(
        **wanted.model_dump(exclude={"query"}),
        query=canonical(wanted.query, now),
        owner=principal.token_id,
        owner_name=principal.name,
        created=at,
        changed=at,
    )
    entry = act_entry(principal, Act.VIEW_SAVE, wanted.model_dump(), now=now)
    number = rows.insert_view(store, row, MAX_VIEWS, entry)
    if number is None:
        raise TooManyViews(f"you have {MAX_VIEWS} views, which is the most; delete one first")
    row.id = number
    return _view(row, principal, None)


def change_view(
    store: Store,
    principal: Principal,
    view_id: int,
    change: ViewChange,
    now: datetime,
    *,
    match: str = "",
) -> SavedView:
    """Change a view of one's own, or any as an admin. `match` is what If-Match says.

    Raises NoSuchView, NotYourView, Changed, InvalidSearch, StoreUnavailable.
    """
    before = _own(store, principal, view_id)
    values = change.model_dump(exclude_none=True)
    if change.query is not None:
        values["query"] = canonical(change.query, now)
    if all(getattr(before, name) == value for name, value in values.items()):
        return open_view(store, principal, view_id)
    if not versions.matches(match, versions.etag(view_id, from_microseconds(before.changed))):
        raise versions.Changed
    entry = act_entry(principal, Act.VIEW_CHANGE, {"id": view_id} | values, now=now)
    values |= {"changed": microseconds(now)}
    version = before.changed if versions.names_one(match) else None
    if not rows.update_view(store, view_id, values, entry, unchanged_since=version):
        _get(store, principal, view_id)
        raise versions.Changed
    return open_view(store, principal, view_id)


def delete_view(store: Store, principal: Principal, view_id: int, now: datetime) -> None:
    """Delete a view of one's own, or any as an admin.

    Raises NoSuchView, NotYourView, StoreUnavailable.
    """
    row = _own(store, principal, view_id)
    entry = act_entry(principal, Act.VIEW_DELETE, {"id": view_id, "name": row.name}, now=now)
    if not rows.delete_view(store, view_id, entry):
        raise _missing()


def begin_with(store: Store, principal: Principal, view_id: int | None) -> None:
    """Choose the view that one's own page opens with; None for none.

    Raises NoSuchView, StoreUnavailable.
    """
    if view_id is not None:
        _get(store, principal, view_id)
    rows.choose_view(store, principal.token_id, view_id)


def canonical(query: str, now: datetime) -> str:
    """A query without what belongs to one page of it. Raises InvalidSearch."""
    pairs = read_query(query, now).pairs
    return urlencode([(name, value) for name, value in pairs if name not in OF_A_PAGE])


def _get(store: Store, principal: Principal, view_id: int) -> ViewRow:
    row = rows.get_view(store, principal.token_id, view_id)
    if row is None:
        raise _missing()
    return row


def _own(store: Store, principal: Principal, view_id: int) -> ViewRow:
    row = _get(store, principal, view_id)
    if row.owner != principal.token_id and principal.role is not Role.ADMIN:
        raise NotYourView("this view is somebody else's; save a copy under a name of your own")
    return row


def _missing() -> NoSuchView:
    return NoSuchView("there is no view with this id that you may open")


def _view(row: ViewRow, principal: Principal, first: int | None) -> SavedView:
    return SavedView(
        id=row.id or 0,
        name=row.name,
        query=row.query,
        description=row.description,
        shared=row.shared,
        owner=row.owner_name,
        own=row.owner == principal.token_id,
        first=row.id == first,
        changed=from_microseconds(row.changed),
    )
