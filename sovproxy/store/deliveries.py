"""Deliveries of records: those that arrive while others are being stored are stored together.

A transaction costs the database some thirty questions, however few records it has, and a wait for
the disk. With many nodes that deliver small batches, that is most of the work; so whoever comes
next takes along what else has arrived.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sovproxy.store.batches import event_batch, joined, rollup_batch
from sovproxy.store.database import StoreUnavailable
from sovproxy.store.gathering import Delivery, Stored
from sovproxy.store.writing import write_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sovproxy.events.event import Event, Rollup
    from sovproxy.store.database import Store
    from sovproxy.store.packing import Numbers


def insert_records(store: Store, events: Sequence[Event], rollups: Sequence[Rollup]) -> Stored:
    """Store and count what is not stored yet; when this returns, it is durable.

    Either all of it is stored or nothing. Raises StoreUnavailable.
    """
    mine = Delivery(event_batch(events), rollup_batch(rollups))
    group = store.deliveries.turn(mine)
    if group:
        try:
            _store(store, group)
        finally:
            store.deliveries.done()
    return mine.stored.result()


def _store(store: Store, group: Sequence[Delivery]) -> None:
    """Store a group in one transaction. What cannot be stored keeps no other delivery from it."""
    try:
        written = write_new(
            store,
            joined([delivery.events for delivery in group]),
            joined([delivery.rollups for delivery in group]),
        )
    except BaseException as error:  # noqa: BLE001  # each caller learns of it
        if len(group) > 1 and not isinstance(error, StoreUnavailable):
            for delivery in group:
                _store(store, [delivery])
            return
        for delivery in group:
            delivery.stored.set_exception(error)
        return
    events = _shares(written.events, [len(delivery.events.ids) for delivery in group])
    rollups = _shares(written.rollups, [len(delivery.rollups.ids) for delivery in group])
    for delivery, *accepted in zip(group, events, rollups, strict=True):
        delivery.stored.set_result(Stored(sum(accepted), delivery.size - sum(accepted)))


def _shares(places: Numbers, sizes: Sequence[int]) -> list[int]:
    """How many of the places fall to each of the parts that stand one after the other."""
    ends: list[int] = np.searchsorted(places, np.cumsum(sizes)).tolist()
    return [end - begin for begin, end in pairwise([0, *ends])]
