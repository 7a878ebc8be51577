"""What the tests of events share: a complete event, made quickly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from sovproxy.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable

COMPLETE: dict[str, Any] = {
    "time": datetime(2026, 11, 23, 8, 30, tzinfo=UTC),
    "node": "proxy-1",
    "kind": "decision",
    "client": "2026-11.k3f9abcdefgh2345".replace("9", "7"),
    "group": "finance",
    "host": "zoom.us",
    "address": "170.114.52.2",
    "port": 443,
    "action": "block",
    "rule": "video-abroad",
    "reason": "Zoom is controlled from the US",
    "service": "zoom",
    "operator": "zoom",
    "control": ("US",),
    "standing": "abroad",
    "location": "US",
    "asn": 30103,
    "alternative": "visio",
    "policy": "fr-etat",
    "policy_version": "1a2b3c",
    "outcome": "prompted",
    "transport": "https",
    "decrypted": True,
}


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """Make an event; every field can be given."""

    def make(**fields: Any) -> Event:
        return Event.model_validate(COMPLETE | fields, strict=False)

    return make
