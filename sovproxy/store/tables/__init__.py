"""The store's tables, by area. Times are Unix microseconds (UTC): they sort and index as integers.

Importing this package makes all of them known to `SQLModel.metadata`.
"""

from __future__ import annotations

from sovproxy.store.tables.access import (
    ACCOUNTS,
    LINKS,
    SESSIONS,
    SIGN_INS,
    TOKENS,
    AccountRow,
    LinkRow,
    SessionRow,
    SignInRow,
    TokenRow,
)
from sovproxy.store.tables.audit import AUDIT, AuditRow
from sovproxy.store.tables.common import LAST_OWN_VERSION, SchemaRow
from sovproxy.store.tables.exceptions import (
    EXCEPTION_STEPS,
    EXCEPTIONS,
    ExceptionRow,
    ExceptionStepRow,
)
from sovproxy.store.tables.findings import (
    CHOSEN_VIEWS,
    FINDINGS,
    NOTES,
    SUPPRESSIONS,
    VIEWS,
    ChosenViewRow,
    FindingRow,
    NoteRow,
    SuppressionRow,
    ViewRow,
)
from sovproxy.store.tables.fleet import (
    ACKNOWLEDGEMENTS,
    NODES,
    AcknowledgementRow,
    NodeRow,
)
from sovproxy.store.tables.meetings import MEETING_COUNTS, MeetingCountRow
from sovproxy.store.tables.persons import PERSON_REQUESTS, PersonRequestRow
from sovproxy.store.tables.policies import (
    POLICY_DRAFTS,
    POLICY_VERSIONS,
    PolicyDraftRow,
    PolicyVersionRow,
)
from sovproxy.store.tables.records import (
    BLOCK_COLUMNS,
    BLOCKS,
    COUNTERS,
    EVENTS,
    ROLLUPS,
    SEEN,
    SORTS,
    TALLIES,
    WORDS,
    BlockColumnRow,
    BlockRow,
    CounterRow,
    EventRow,
    RollupRow,
    SeenRow,
    SortRow,
    TallyRow,
    WordRow,
)
from sovproxy.store.tables.resolutions import RESOLUTIONS, ResolutionRow
from sovproxy.store.tables.upkeep import (
    FORWARD_POSITIONS,
    RETENTION_RUNS,
    ForwardPositionRow,
    RetentionRunRow,
)

__all__ = [
    "ACCOUNTS",
    "ACKNOWLEDGEMENTS",
    "AUDIT",
    "BLOCKS",
    "BLOCK_COLUMNS",
    "CHOSEN_VIEWS",
    "COUNTERS",
    "EVENTS",
    "EXCEPTIONS",
    "EXCEPTION_STEPS",
    "FINDINGS",
    "FORWARD_POSITIONS",
    "LAST_OWN_VERSION",
    "LINKS",
    "MEETING_COUNTS",
    "NODES",
    "NOTES",
    "PERSON_REQUESTS",
    "POLICY_DRAFTS",
    "POLICY_VERSIONS",
    "RESOLUTIONS",
    "RETENTION_RUNS",
    "ROLLUPS",
    "SEEN",
    "SESSIONS",
    "SIGN_INS",
    "SORTS",
    "SUPPRESSIONS",
    "TALLIES",
    "TOKENS",
    "VIEWS",
    "WORDS",
    "AccountRow",
    "AcknowledgementRow",
    "AuditRow",
    "BlockColumnRow",
    "BlockRow",
    "ChosenViewRow",
    "CounterRow",
    "EventRow",
    "ExceptionRow",
    "ExceptionStepRow",
    "FindingRow",
    "ForwardPositionRow",
    "LinkRow",
    "MeetingCountRow",
    "NodeRow",
    "NoteRow",
    "PersonRequestRow",
    "PolicyDraftRow",
    "PolicyVersionRow",
    "ResolutionRow",
    "RetentionRunRow",
    "RollupRow",
    "SchemaRow",
    "SeenRow",
    "SessionRow",
    "SignInRow",
    "SortRow",
    "SuppressionRow",
    "TallyRow",
    "TokenRow",
    "ViewRow",
    "WordRow",
]
