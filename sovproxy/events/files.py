"""Small private files that are replaced whole: readable by their owner only, never half written."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
SECRET_BYTES = 32


def make_private_folder(folder: Path) -> None:
    """Make a folder (and its parents) that only its owner may enter; an existing one stays."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):  # `parents=True` would leave the parents open to all
        one.mkdir(exist_ok=True, mode=PRIVATE_FOLDER)


def replace_private(path: Path, data: bytes) -> None:
    """Put `data` at `path` with mode 0600, durably and in one step. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        write_all(handle, data)
        os.fsync(handle)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # on a full disk it would take what room is left
        raise
    finally:
        os.close(handle)
    sync_folder(path.parent)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`, however many system calls that takes. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync_folder(folder: Path) -> None:
    """Make names that were added to or taken from `folder` durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_secret(path: Path) -> bytes:
    """A random secret of 32 bytes, made at first use (mode 0600). Raises OSError.

    One of another length is replaced: whoever cannot lose it looks first.
    """
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        secret = secrets.token_bytes(SECRET_BYTES)
        make_private_folder(path.parent)
        replace_private(path, secret)
    return secret
