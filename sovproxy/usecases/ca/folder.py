"""The files of one CA: `ca` in the data directory, mode 0700, every file in it 0600.

root.pem       the root's certificate: what workstations trust
root-key.pem   its key, encrypted if there is a passphrase; absent when it lives elsewhere
issuing.pem    key and certificates of the issuing CAs
inspection.pem key and certificate of the CA of `inspection: full`; absent without it
request.pem    the key of a request that is being signed elsewhere
mitmproxy/     what mitmproxy wants to find: a CA that nobody trusts and that permits no name
CACHEDIR.TAG   tells backup programs to leave the folder out
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from sovproxy.ca.certificates import make_root
from sovproxy.ca.issuing import MAX_FILE, UnusableCertificate, read_issuing, read_root
from sovproxy.ca.keys import KeyKind, is_locked, key_pem, make_key
from sovproxy.ca.names import Scope
from sovproxy.events.files import PRIVATE_FOLDER, make_private_folder, replace_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography import x509

    from sovproxy.ca.issuing import Issuing
    from sovproxy.settings import Settings

TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# Keys of sovproxy's CA. Programs that heed this file leave the folder out of backups.\n"
)
"""https://bford.info/cachedir/: the first line is fixed."""

NOBODY = Scope("nobody", ("nobody.invalid",))
"""A name that no client can ask for, RFC 6761 §6.4."""

OLD_AUTHORITY = "mitmproxy-ca.pem"
"""An unconstrained CA that mitmproxy made for versions before this folder was kept by us."""


class CaFolder:
    """Reads and writes these files. Nothing is cached.

    `inspection_file` may lie elsewhere: then it is the administration's own, and is only read.
    """

    def __init__(self, path: Path, own_inspection_file: Path | None = None) -> None:
        self.path = path
        self.has_own_inspection = own_inspection_file is not None
        self.made_inspection_file = path / "inspection.pem"
        self.root_file = path / "root.pem"
        self.root_key_file = path / "root-key.pem"
        self.issuing_file = path / "issuing.pem"
        self.inspection_file = own_inspection_file or self.made_inspection_file
        self.request_key_file = path / "request.pem"
        self.old_authority = path / OLD_AUTHORITY

    @classmethod
    def of(cls, settings: Settings) -> CaFolder:
        """The folder of this machine."""
        return cls(settings.ca_folder, settings.ca_inspection_file)

    def prepare(self) -> None:
        """Make the folder, for its owner only. Raises OSError."""
        make_private_folder(self.path)
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(PRIVATE_FOLDER)
        tag = self.path / "CACHEDIR.TAG"
        if not tag.exists():
            replace_private(tag, TAG)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process change the files meanwhile. Raises OSError."""
        self.prepare()
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @property
    def has_root(self) -> bool:
        """Whether there is a root's certificate."""
        return self.root_file.exists()

    @property
    def key_is_here(self) -> bool:
        """Whether the root's key lies in the folder."""
        return self.root_key_file.exists()

    @property
    def key_is_locked(self) -> bool:
        """Whether the root's key, if it is here, needs a passphrase. Raises OSError."""
        return self.key_is_here and is_locked(read_bounded(self.root_key_file))

    def root(self) -> x509.Certificate:
        """Read the root's certificate. Raises UnusableCertificate, OSError."""
        return read_root(read_bounded(self.root_file), self.root_file)

    def issuing(self, root: x509.Certificate) -> Issuing:
        """Read the issuing CAs. Raises UnusableKey, UnusableCertificate, OSError."""
        return read_issuing(read_bounded(self.issuing_file), self.issuing_file, root)

    def write_root(self, root: x509.Certificate) -> None:
        """Put the root's certificate in place. Raises OSError."""
        replace_private(self.root_file, root.public_bytes(Encoding.PEM))

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """What changes whenever one of the files is replaced."""
        files = self.root_file, self.root_key_file, self.issuing_file, self.inspection_file
        return tuple(map(_stamp, files))


def read_bounded(file: Path) -> bytes:
    """Read a small file. Raises OSError, and UnusableCertificate for one that is too large."""
    with file.open("rb") as stream:
        content = stream.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise UnusableCertificate(f"{file}: is larger than {MAX_FILE} bytes")
    return content


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def ensure_confdir(confdir: Path) -> None:
    """Put a CA where mitmproxy looks for its own, so that it makes none. Raises OSError.

    mitmproxy's own would be unconstrained. This one permits one name that cannot exist, is signed
    by itself, and is never installed anywhere: whatever it is used for, every client refuses.
    """
    make_private_folder(confdir)
    file = confdir / "mitmproxy-ca.pem"
    if file.exists():
        return
    key = make_key(KeyKind.EC_P256)
    root = make_root(
        key, "sovproxy: trust nobody", datetime.now(UTC), timedelta(days=36500), NOBODY
    )
    replace_private(file, key_pem(key) + root.public_bytes(Encoding.PEM))
