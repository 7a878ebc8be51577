"""The CA of `inspection: full` on a running node: read, made, renewed, and taken away again.

It comes from a file of the administration's own PKI, or is made from the root in the CA's folder,
which must be unbound for that. Without one nothing that passes is decrypted.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from sovproxy.ca.certificates import BACKDATED, Signer, make_inspecting
from sovproxy.ca.inspecting import Inspecting, read_inspecting
from sovproxy.ca.issuing import bounds_of
from sovproxy.ca.keys import kind_of, make_key, read_key
from sovproxy.ca.names import is_name, shortest
from sovproxy.errors import SovproxyError
from sovproxy.events.files import replace_private
from sovproxy.usecases.ca.folder import read_bounded
from sovproxy.usecases.ca.life import CannotSign
from sovproxy.usecases.ca.passphrase import known_passphrase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cryptography import x509

    from sovproxy.settings import Settings
    from sovproxy.usecases.ca.folder import CaFolder

log = logging.getLogger(__name__)


def find_inspecting(
    settings: Settings, folder: CaFolder, never: Iterable[str], now: datetime
) -> Inspecting:
    """The CA that leaves `never` alone; made or renewed where that is needed and possible.

    Raises CannotSign, UnusableKey, UnusableCertificate, OSError.
    """
    left_alone = shortest(filter(is_name, never))
    if folder.has_own_inspection:
        return read_in(folder, left_alone)
    found = _read_ours(folder, left_alone)
    if found and not _is_late(found, now):
        return found
    with folder.locked():
        found = _read_ours(folder, left_alone)  # another process may have been faster
        if found is None or _is_late(found, now):
            found = _make(settings, folder, left_alone, now)
    return found


def forget_inspecting(folder: CaFolder) -> None:
    """Delete the CA that was made here: a key without use is only a danger. Raises OSError."""
    if not folder.has_own_inspection and folder.inspection_file.exists():
        with folder.locked():
            folder.inspection_file.unlink(missing_ok=True)
        log.info("the policy is not `inspection: full` any more: its CA was deleted")


def read_in(folder: CaFolder, never: frozenset[str] = frozenset()) -> Inspecting:
    """Read what there is. Raises UnusableKey, UnusableCertificate, OSError."""
    file = folder.inspection_file
    return read_inspecting(read_bounded(file), file, never)


def obstacle(folder: CaFolder) -> str:
    """Why there is no CA for what passes, and what to do; empty if there is one."""
    if folder.inspection_file.exists():
        return ""
    try:
        unbound_root(folder)
    except (SovproxyError, OSError) as error:
        return str(error)
    return f"there is no {folder.inspection_file} yet: the node makes it when it runs"


def _read_ours(folder: CaFolder, never: frozenset[str]) -> Inspecting | None:
    """The CA in the folder, if it is the root's and leaves alone exactly what it should."""
    if not folder.inspection_file.exists():
        return None
    try:
        found = read_in(folder, never)
        found.certificates[0].verify_directly_issued_by(folder.root())
    except (SovproxyError, ValueError, TypeError) as error:
        log.warning("%s is made anew: %s", folder.inspection_file, error or "another root's")
        return None
    return found if found.excluded == never else None


def _is_late(found: Inspecting, now: datetime) -> bool:
    return now > found.ends - (found.ends - found.begins) / 3


def _make(settings: Settings, folder: CaFolder, never: frozenset[str], now: datetime) -> Inspecting:
    signer = _signer(settings, folder)
    key = make_key(kind_of(signer.key))
    times = (now - BACKDATED, now + timedelta(days=settings.ca_days))
    certificate = make_inspecting(signer, key, never, times)
    made = Inspecting(key, (certificate,), never, excluded=never)
    replace_private(folder.inspection_file, made.to_pem())
    log.info("a CA for full inspection was made; it leaves %d names alone", len(never))
    return made


def _signer(settings: Settings, folder: CaFolder) -> Signer:
    root = unbound_root(folder)
    if not folder.key_is_here:
        raise CannotSign(
            f"the root's key is not in {folder.path}; name a CA that it signed in"
            " SOVPROXY_CA_INSPECTION_FILE"
        )
    file = folder.root_key_file
    secret = known_passphrase(settings) if folder.key_is_locked else ""
    return Signer(root, read_key(read_bounded(file), file, secret))


def unbound_root(folder: CaFolder) -> x509.Certificate:
    """The root, if it may speak for every name. Raises CannotSign, UnusableCertificate, OSError."""
    if not folder.has_root:
        raise CannotSign(f"there is no root in {folder.path}: make one by `sovproxy ca init`")
    root = folder.root()
    if bounds_of(root) is not None:
        raise CannotSign(
            f"the root in {folder.root_file} is bound to the catalogue's names, and so cannot speak"
            " for what passes; make an unbound one by `sovproxy ca init` in an empty folder, or"
            " name a CA of your own in SOVPROXY_CA_INSPECTION_FILE"
        )
    return root
