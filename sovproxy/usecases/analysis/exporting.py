"""Export: everything that fits a filter, in a form that other programs read, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sovproxy.events.export import export_parts
from sovproxy.store import queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.events.event import Event
    from sovproxy.events.export import ExportFormat
    from sovproxy.store.database import Store
    from sovproxy.usecases.analysis.searching import FilterInput

PAGE: Final = 2000
"""Events that are read at once: few questions to the store, little memory."""


def export(
    store: Store, wanted: FilterInput, form: ExportFormat, limit: int | None = None
) -> Iterator[bytes]:
    """Write the events that fit (or `limit`), newest first. Raises StoreUnavailable on the way."""
    return export_parts(form, matching(store, wanted, limit))


def matching(store: Store, wanted: FilterInput, limit: int | None = None) -> Iterator[Event]:
    """Give the events that fit (or `limit`), newest first. Raises StoreUnavailable on the way."""
    looked_for, after, left = wanted.to_filter(), None, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        found = queries.search(store, looked_for, size, after)
        yield from found.events
        after = found.more_after
        left = None if left is None else left - len(found.events)
        if after is None:
            return
