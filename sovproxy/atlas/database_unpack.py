"""From what vendors hand out (.mmdb, .gz, .xz, .zip, .tar.gz) to one plain MMDB file.

Archives come from outside: formats are told by content, never by name; names inside are not used;
what comes out is bounded; an archive must hold exactly one regular `.mmdb` file.
"""

from __future__ import annotations

import gzip
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from sovproxy.atlas.mmdb_schema import printable
from sovproxy.errors import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_UNPACKED = 2 * 1024**3
"""Bytes. IPinfo Plus and GeoIP2 Enterprise, the largest databases known to us, stay below."""

MAX_MEMBERS = 100
MAX_LAYERS = 3
CHUNK = 1024 * 1024

_BROKEN = (
    EOFError, OSError, RuntimeError, NotImplementedError, ValueError,
    lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def unpack(file: Path, folder: Path, *, name: str = "", limit: int = MAX_UNPACKED) -> Path:
    """Unpack a file into a new temporary file in `folder`; the caller owns that.

    `file` stays; `name` is shown in errors. Raises UnusableDatabase if it is broken, too large, or
    does not hold exactly one database.
    """
    current = file
    try:
        for _ in range(MAX_LAYERS):
            if (opener := _opener(current)) is None:
                return current if current != file else _step(_plain, file, folder, limit)
            step = _step(opener, current, folder, limit)
            _discard(current, file)
            current = step
    except BaseException as error:
        _discard(current, file)
        if not isinstance(error, (UnusableDatabase, *_BROKEN)):
            raise
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnusableDatabase(
            f"{name or file}: cannot be used: {printable(reason, 300)}"
        ) from None
    _discard(current, file)
    raise UnusableDatabase(f"{name or file}: is packed {MAX_LAYERS} times or more; unpack it first")


def _discard(path: Path, keep: Path) -> None:
    if path != keep:
        path.unlink(missing_ok=True)


def _step(
    opener: Callable[[Path, IO[bytes], int], None], source: Path, folder: Path, limit: int
) -> Path:
    """Run one unpacking step into a fresh temporary file; leave none behind if it fails."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-", suffix=".mmdb")
    target = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            opener(source, out, limit)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def copy_bounded(source: IO[bytes], target: IO[bytes], limit: int) -> None:
    """Copy until the end. Raises UnusableDatabase beyond `limit` bytes."""
    left = limit
    while chunk := source.read(min(CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise UnusableDatabase(f"what it unpacks to is larger than the limit of {limit} bytes")
        target.write(chunk)


def _opener(path: Path) -> Callable[[Path, IO[bytes], int], None] | None:
    """Tell the format by its first bytes; None for a file that is not packed."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"\x1f\x8b"):
        return _gzip
    if head.startswith(b"\xfd7zXZ\x00"):
        return _xz
    if head.startswith(b"PK\x03\x04"):
        return _zip
    return _tar if head[257:262] == b"ustar" else None


def _plain(source: Path, out: IO[bytes], limit: int) -> None:
    with source.open("rb") as file:
        copy_bounded(file, out, limit)


def _gzip(source: Path, out: IO[bytes], limit: int) -> None:
    with gzip.open(source) as file:
        copy_bounded(cast("IO[bytes]", file), out, limit)


def _xz(source: Path, out: IO[bytes], limit: int) -> None:
    with lzma.open(source) as file:
        copy_bounded(cast("IO[bytes]", file), out, limit)


def _zip(source: Path, out: IO[bytes], limit: int) -> None:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        _only_one([member.filename for member in members if not member.is_dir()], len(members))
        chosen = next(m for m in members if _is_database(m.filename) and not m.is_dir())
        with archive.open(chosen) as file:
            copy_bounded(file, out, limit)


def _tar(source: Path, out: IO[bytes], limit: int) -> None:
    """Unpack a plain tar; the gzip or xz around it was a layer of its own."""
    with tarfile.open(source, mode="r:") as archive:
        members: list[tarfile.TarInfo] = []
        while (member := archive.next()) is not None and len(members) <= MAX_MEMBERS:
            members.append(member)
        regular = [m for m in members if m.isreg() and not m.issparse()]
        _only_one([member.name for member in regular], len(members))
        chosen = next(member for member in regular if _is_database(member.name))
        file = archive.extractfile(chosen)
        if file is not None:
            copy_bounded(file, out, limit)


def _is_database(name: str) -> bool:
    return name.lower().endswith(".mmdb")


def _only_one(names: list[str], members: int) -> None:
    if members > MAX_MEMBERS:
        raise UnusableDatabase(f"the archive has more than {MAX_MEMBERS} members")
    count = sum(map(_is_database, names))
    if count != 1:
        message = f"the archive holds {count} regular files named *.mmdb, wanted exactly one"
        raise UnusableDatabase(message)
