"""The store's tables, by area. Times are Unix microseconds (UTC): they sort and index as integers.

Importing this package makes all of them known to `SQLModel.metadata`.
"""

from __future__ import annotations

from sovproxy.store.tables.access import SESSIONS, TOKENS, SessionRow, TokenRow
from sovproxy.store.tables.audit import AUDIT, AuditRow
from sovproxy.store.tables.common import SCHEMA_VERSION, SchemaRow
from sovproxy.store.tables.records import (
    EVENTS,
    ROLLUPS,
    SEEN,
    SORTS,
    TALLIES,
    EventRow,
    RollupRow,
    SeenRow,
    SortRow,
    TallyRow,
)

__all__ = [
    "AUDIT",
    "EVENTS",
    "ROLLUPS",
    "SCHEMA_VERSION",
    "SEEN",
    "SESSIONS",
    "SORTS",
    "TALLIES",
    "TOKENS",
    "AuditRow",
    "EventRow",
    "RollupRow",
    "SchemaRow",
    "SeenRow",
    "SessionRow",
    "SortRow",
    "TallyRow",
    "TokenRow",
]
