"""Saved views as rows. What they mean is `sovproxy.usecases.analysis.views`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from sovproxy.store.audit import add_entry
from sovproxy.store.bulk import insert_for
from sovproxy.store.tables import CHOSEN_VIEWS, VIEWS, ViewRow
from sovproxy.store.times import later

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sovproxy.store.database import Store
    from sovproxy.store.tables import AuditRow


def list_views(store: Store, owner: str) -> list[ViewRow]:
    """Give the views that `owner` may open, by name. Raises StoreUnavailable."""
    query = select(VIEWS).where(_open_to(owner)).order_by(VIEWS.c.name, VIEWS.c.id)
    with store.reading() as connection:
        return [ViewRow(**row) for row in connection.execute(query).mappings()]


def get_view(store: Store, owner: str, view_id: int) -> ViewRow | None:
    """Give one view if `owner` may open it. Raises StoreUnavailable."""
    query = select(VIEWS).where(VIEWS.c.id == view_id, _open_to(owner))
    with store.reading() as connection:
        row = connection.execute(query).mappings().first()
    return ViewRow(**row) if row else None


def insert_view(store: Store, row: ViewRow, most: int, entry: AuditRow) -> int | None:
    """Store a view and give its id; None if its owner has `most` already.

    Raises StoreUnavailable.
    """
    own = select(func.count()).select_from(VIEWS).where(VIEWS.c.owner == row.owner)
    values = row.model_dump(exclude={"id"})
    with store.writing() as connection:
        if (connection.scalar(own) or 0) >= most:
            return None
        number = connection.execute(insert(VIEWS).values(values).returning(VIEWS.c.id)).scalar_one()
        add_entry(connection, entry)
    return int(number)


def update_view(
    store: Store,
    view_id: int,
    values: dict[str, Any],
    entry: AuditRow,
    *,
    unchanged_since: int | None = None,
) -> bool:
    """Change a view; False if there is none, or if it was not last changed at `unchanged_since`
    (Unix µs). Each change has a time of its own. Raises StoreUnavailable.
    """
    changed = later(VIEWS.c.changed, values["changed"])
    changing = update(VIEWS).where(VIEWS.c.id == view_id)
    if unchanged_since is not None:
        changing = changing.where(VIEWS.c.changed == unchanged_since)
    changing = changing.values(values | {"changed": changed})
    with store.writing() as connection:
        if not connection.execute(changing).rowcount:
            return False
        add_entry(connection, entry)
    return True


def delete_view(store: Store, view_id: int, entry: AuditRow) -> bool:
    """Delete a view, also as anybody's first one; False if there is none.

    Raises StoreUnavailable.
    """
    with store.writing() as connection:
        if not connection.execute(delete(VIEWS).where(VIEWS.c.id == view_id)).rowcount:
            return False
        connection.execute(delete(CHOSEN_VIEWS).where(CHOSEN_VIEWS.c.view == view_id))
        add_entry(connection, entry)
    return True


def choose_view(store: Store, owner: str, view_id: int | None) -> None:
    """Note which view a person's page opens with; None for no view. Raises StoreUnavailable."""
    with store.writing() as connection:
        if view_id is None:
            connection.execute(delete(CHOSEN_VIEWS).where(CHOSEN_VIEWS.c.owner == owner))
            return
        adding = insert_for(connection, CHOSEN_VIEWS)
        chosen = adding.on_conflict_do_update(index_elements=["owner"], set_={"view": view_id})
        connection.execute(chosen, {"owner": owner, "view": view_id})


def chosen_view(store: Store, owner: str) -> int | None:
    """The id of the view that a person's page opens with. Raises StoreUnavailable."""
    query = select(CHOSEN_VIEWS.c.view).where(CHOSEN_VIEWS.c.owner == owner)
    with store.reading() as connection:
        return connection.scalar(query)


def _open_to(owner: str) -> ColumnElement[bool]:
    return or_(VIEWS.c.owner == owner, VIEWS.c.shared)
