"""Looks at events from the command line leave entries in the audit, as those of the API do."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from sovproxy.usecases.access.auditing import given, record_act
from sovproxy.usecases.access.tokens import command_line

if TYPE_CHECKING:
    from sovproxy.store.database import Store
    from sovproxy.usecases.access.auditing import Act
    from sovproxy.usecases.access.tokens import Principal
    from sovproxy.usecases.analysis.searching import FilterInput


def record_look(store: Store, what: Act, wanted: FilterInput, rows: int) -> None:
    """Add an entry; only then may be shown what it tells of. Raises StoreUnavailable."""
    record_act(store, caller(), what, given(wanted), rows=rows)


def caller() -> Principal:
    """Who runs the command: `cli:` and the user by the system, which no variable can change."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return command_line(f"cli:{name}")
