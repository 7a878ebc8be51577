"""What papers report of this machine: its CA, pseudonym keys and accounts. Nothing is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography import x509
from pydantic_core import from_json

from sovproxy.events.pseudonym import MONTH, end_of_month
from sovproxy.papers.facts import Fact
from sovproxy.store import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sovproxy.settings import Settings
    from sovproxy.store.database import Store

KEY_FILES: Final = ("node/pseudonym-keys.json", "fleet/pseudonym-keys.json")
CA_FILES: Final = ("mitmproxy-ca.pem", "mitmproxy-ca-cert.pem")
"""Where the chain stands: the first that is there. Only certificates are looked at."""

MAX_BYTES: Final = 1024 * 1024
_OTHERS: Final = 0o077
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.{1,20000}?-----END CERTIFICATE-----", re.DOTALL
)
_MONTH = re.compile(MONTH)


def machine_facts(
    settings: Settings, store: Store | None, retention_days: int, now: datetime
) -> Iterator[Fact]:
    """Look at files and accounts. Without a store, or where a file cannot be read, it is said.

    Raises StoreUnavailable.
    """
    yield Fact("machine.ca", _ca(settings.ca_folder), "machine ca/mitmproxy-ca.pem")
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


def _ca(folder: Path) -> str:
    """`none`, `unreadable`, `open` (may sign for any name) or `constrained`."""
    path = next((folder / name for name in CA_FILES if (folder / name).exists()), None)
    if path is None:
        return "none"
    try:
        found = _CERTIFICATE.findall(_read(path))
        issuing = x509.load_pem_x509_certificate(found[0])
        return "constrained" if _is_constrained(issuing) else "open"
    except (OSError, ValueError, IndexError):
        return "unreadable"


def _is_constrained(certificate: x509.Certificate) -> bool:
    """Whether it may sign for some DNS names only, and every client has to heed that."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return False
    permitted = found.value.permitted_subtrees or []
    return found.critical and any(isinstance(name, x509.DNSName) for name in permitted)


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
