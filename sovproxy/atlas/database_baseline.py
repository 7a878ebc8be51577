"""The databases that ship with sovproxy: unpacked once into the data directory, on first use."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sovproxy.errors import UnusableDatabase
from sovproxy.events.files import make_private_folder

if TYPE_CHECKING:
    from sovproxy.atlas.mmdb_schema import Kind

FOLDER = Path(__file__).parent / "baseline"


@dataclass(frozen=True, slots=True)
class Shipped:
    """One entry of baseline.json. `as_of` is the day of the data, `bytes` the unpacked size."""

    file: str
    source: str
    licence: str
    as_of: str
    sha256: str
    sha256_compressed: str
    bytes: int


def shipped(kind: Kind) -> Shipped:
    """Say what ships for a kind of fact."""
    entries = json.loads((FOLDER / "baseline.json").read_text(encoding="utf-8"))
    return Shipped(**entries[kind])


def unpacked(kind: Kind, folder: Path) -> Path:
    """Give the path of the unpacked baseline in `folder`, unpacking it if it is not there yet.

    Its name carries its hash, so that several processes, and several versions of sovproxy, agree:
    whoever comes first puts the whole file there in one step. Raises UnusableDatabase.
    """
    entry = shipped(kind)
    target = folder / f"baseline-{kind}-{entry.sha256[:16]}.mmdb"
    try:
        if not (target.exists() and target.stat().st_size == entry.bytes):
            _unpack(entry, target)
    except (OSError, lzma.LZMAError) as error:
        raise UnusableDatabase(
            f"{target}: the shipped {kind} database cannot be unpacked: {error}; "
            "make the data directory writable (SOVPROXY_DATA_DIR) and free 20 MB there"
        ) from None
    return target


def _unpack(entry: Shipped, target: Path) -> None:
    content = lzma.decompress((FOLDER / entry.file).read_bytes())
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        message = f"{FOLDER / entry.file}: is damaged (its sha256 is not that of baseline.json); "
        raise UnusableDatabase(message + "install sovproxy again")
    make_private_folder(target.parent)
    put(content, target)


def put(content: bytes, target: Path) -> None:
    """Write a file so that others see all of it or none, also after a crash."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-", suffix=target.suffix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            settle(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def settle(descriptor: int) -> None:
    """Make a freshly written file readable for the other accounts of sovproxy, and durable."""
    os.fchmod(descriptor, 0o644)
    os.fsync(descriptor)
