"""The CA of `inspection: full` on a running node: read, made, renewed, and taken away again.

It comes from a file of the administration's own PKI, or is made from the root in the CA's folder,
which must be unbound for that. Without one nothing that passes is decrypted.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from sovproxy.ca.certificates import BACKDATED, Signer, make_inspecting
from sovproxy.ca.inspecting import Inspecting, read_inspecting
from sovproxy.ca.issuing import UnusableCertificate, bounds_of
from sovproxy.ca.keys import kind_of, make_key, read_key
from sovproxy.ca.names import shortest
from sovproxy.errors import SovproxyError
from sovproxy.events.files import replace_private
from sovproxy.usecases.ca.folder import read_bounded
from sovproxy.usecases.ca.life import CannotSign
from sovproxy.usecases.ca.passphrase import known_passphrase

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from sovproxy.settings import Settings
    from sovproxy.usecases.ca.folder import CaFolder

log = logging.getLogger(__name__)


def find_inspecting(
    settings: Settings, folder: CaFolder, never: frozenset[str], now: datetime
) -> Inspecting:
    """The CA that leaves `never` alone; made or renewed where that is needed and possible.

    Raises CannotSign, UnusableKey, UnusableCertificate, OSError.
    """
    if folder.has_own_inspection or not _wants_another(folder, never, now):
        return read_inspecting_in(folder, never)
    with folder.locked():
        if not _wants_another(folder, never, now):
            return read_inspecting_in(folder, never)  # another process was faster
        try:
            return _make(settings, folder, never, now)
        except SovproxyError:
            found = read_inspecting_in(folder, never)
            if found.ends <= now:
                raise
            return found  # it is late, and good for some days


def forget_inspecting(folder: CaFolder) -> None:
    """Delete the CA that was made here: a key without use is only a danger. Raises OSError."""
    if folder.made_inspection_file.exists():
        with folder.locked():
            folder.made_inspection_file.unlink(missing_ok=True)
        log.info("the CA that was made for full inspection is not needed: it was deleted")


def read_inspecting_in(folder: CaFolder, never: frozenset[str]) -> Inspecting:
    """Read what there is; one that was made here has to be the root's, and to exclude `never`.

    Raises CannotSign if there is none, UnusableKey, UnusableCertificate, OSError.
    """
    file, never = folder.inspection_file, shortest(never)
    if not folder.has_own_inspection and not file.exists():
        unbound_root(folder)
        raise CannotSign(f"there is no {file} yet: the node makes it")
    found = read_inspecting(read_bounded(file), file, never)
    if folder.has_own_inspection:
        return found
    try:
        found.certificates[0].verify_directly_issued_by(folder.root())
    except (InvalidSignature, ValueError, TypeError):
        raise UnusableCertificate(f"{file}: is not signed by {folder.root_file}") from None
    if found.excluded != never:
        raise UnusableCertificate(f"{file}: was made for another list of what is never decrypted")
    return found


def _wants_another(folder: CaFolder, never: frozenset[str], now: datetime) -> bool:
    try:
        return _is_late(read_inspecting_in(folder, never), now)
    except SovproxyError as error:
        log.info("%s", error)
        return True


def _is_late(found: Inspecting, now: datetime) -> bool:
    return now > found.ends - (found.ends - found.begins) / 3


def _make(settings: Settings, folder: CaFolder, never: frozenset[str], now: datetime) -> Inspecting:
    signer = _signer(settings, folder)
    key = make_key(kind_of(signer.key))
    times = (now - BACKDATED, now + timedelta(days=settings.ca_days))
    certificate = make_inspecting(signer, key, shortest(never), times)
    left_alone = shortest(never)
    made = Inspecting(key, (certificate,), left_alone, excluded=left_alone)
    replace_private(folder.inspection_file, made.to_pem())
    log.info("a CA for full inspection was made; it leaves %d names alone", len(made.never))
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
