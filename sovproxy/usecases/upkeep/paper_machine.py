"""What papers report of this machine: its CA, pseudonym keys and accounts. Nothing is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from sovproxy.ca.wanted import Wanted
from sovproxy.events.pseudonym import MONTH, end_of_month
from sovproxy.papers.facts import Fact
from sovproxy.store import accounts
from sovproxy.usecases.ca.folder import CaFolder
from sovproxy.usecases.ca.state import look, names_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sovproxy.ca.issuing import Issuing
    from sovproxy.papers.facts import Value
    from sovproxy.settings import Settings
    from sovproxy.store.database import Store

KEY_FILES: Final = ("node/pseudonym-keys.json", "fleet/pseudonym-keys.json")
NOTHING_WANTED: Final = Wanted(())
MAX_BYTES: Final = 1024 * 1024
_OTHERS: Final = 0o077
_MONTH = re.compile(MONTH)


def machine_facts(
    settings: Settings, store: Store | None, retention_days: int, now: datetime
) -> Iterator[Fact]:
    """Look at files and accounts. Without a store, or where a file cannot be read, it is said.

    Raises StoreUnavailable.
    """
    yield from _ca_facts(CaFolder.of(settings), now)
    files = [settings.data_dir / name for name in KEY_FILES]
    months = sorted({month for path in files for month in _months(path)})
    days = retention_days
    old = [month for month in months if (now - end_of_month(month)).days > days]
    names = ", ".join(KEY_FILES)
    yield Fact("machine.keys.old", tuple(old), f"machine {names}")
    open_files = [name for name in KEY_FILES if _is_open(settings.data_dir / name)]
    yield Fact("machine.keys.open", tuple(open_files), "machine modes of the key files")
    yield Fact("machine.accounts.known", store is not None, "machine store")
    weak = _one_factor(store) if store else ()
    yield Fact("machine.accounts.one_factor", weak, "machine store, accounts")


def _ca_facts(folder: CaFolder, now: datetime) -> Iterator[Fact]:
    """How the CA stands; nothing is renewed or repaired. What it lacks is for `ca show` to tell."""
    state = look(folder, NOTHING_WANTED, now)
    issuing = state.issuing
    yield Fact("machine.ca", _standing(folder, issuing), "machine ca/issuing.pem")
    yield Fact("machine.ca.key", state.key if state.root else "none", "machine ca/root-key.pem")
    names = len(names_in(issuing.scopes)) if issuing else 0
    yield Fact("machine.ca.names", names, "machine ca/issuing.pem, nameConstraints")
    ends: Value = issuing.ends.date() if issuing else ""
    yield Fact("machine.ca.ends", ends, "machine ca/issuing.pem, notAfter")
    old = folder.old_authority.exists()
    yield Fact("machine.ca.old", old, f"machine ca/{folder.old_authority.name}")


def _standing(folder: CaFolder, issuing: Issuing | None) -> str:
    """`none`, `constrained`, or `unreadable`; certificates without limits are never taken."""
    if issuing is None:
        return "unreadable" if folder.issuing_file.exists() else "none"
    return "constrained"


def _months(path: Path) -> tuple[str, ...]:
    """The months of the keys in a file; none if it is away or holds something else."""
    try:
        keys = from_json(_read(path))["keys"]
        return tuple(month for month in keys if _MONTH.fullmatch(month))
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def _is_open(path: Path) -> bool:
    """Whether others than the owner may do something with a file."""
    try:
        return bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _one_factor(store: Store) -> tuple[str, ...]:
    """Login names of accounts that sign in by password alone. Raises StoreUnavailable."""
    rows = accounts.list_accounts(store)
    return tuple(row.login for row in rows if row.password and not row.totp and not row.disabled)
