"""Take a database file in: unpack, check, switch. Nothing is changed if anything is wrong."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import maxminddb

from sovproxy.atlas import database_baseline, database_fetch, database_shelf
from sovproxy.atlas.database_shelf import Imported
from sovproxy.atlas.database_unpack import unpack
from sovproxy.atlas.mmdb_schema import (
    Database,
    Kind,
    as_number,
    country_code,
    open_database,
    records,
)
from sovproxy.errors import UnusableDatabase
from sovproxy.events.files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

type Result = Literal["imported", "unchanged"]

TRIED_ADDRESSES = 2_000
"""How many addresses, spread over all, are looked up to find a damaged file before it is used."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a file came. `source` is fit to be shown; `url` is where it was fetched, or empty.

    `newer_than` refuses a database built before that: an update does not go back in time.
    """

    source: str
    at: datetime
    url: str = ""
    etag: str = ""
    newer_than: Callable[[Kind], datetime | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Installed:
    """A database that was put in use, and for each kind whether that changed anything."""

    database: Database
    results: dict[Kind, Result]


def install(file: Path, folder: Path, kinds: tuple[Kind, ...], arrival: Arrival) -> Installed:
    """Put a file in use for some kinds of fact; none given: for all that it holds.

    Raises UnusableDatabase and changes nothing if it is not fit for each of them.
    """
    with database_shelf.locked(folder):
        shelves = database_shelf.read(folder)
        fresh = unpack(file, folder, name=arrival.source)
        try:
            database = checked(fresh, kinds, arrival)
            imported = _imported(fresh, arrival)
            fresh.replace(folder / imported.file)
        finally:
            fresh.unlink(missing_ok=True)
        results: dict[Kind, Result] = {}
        for kind in kinds or database.kinds:
            current = shelves[kind].current
            same = current is not None and current.sha256 == imported.sha256
            results[kind] = "unchanged" if same else "imported"
            shelves[kind] = shelves[kind].add(imported)
        database_shelf.write(folder, shelves)
    return Installed(database, results)


def _imported(fresh: Path, arrival: Arrival) -> Imported:
    with fresh.open("rb") as opened:
        database_baseline.settle(opened.fileno())
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    at = arrival.at.isoformat(timespec="seconds")
    asked = url_digest(arrival.url) if arrival.url else ""
    name = f"imported-{digest[:16]}.mmdb"
    return Imported(name, digest, arrival.source, at, asked, arrival.etag)


def url_digest(url: str) -> str:
    """Give what is remembered of a URL, which may hold a key."""
    return hashlib.sha256(url.encode()).hexdigest()


def checked(path: Path, kinds: tuple[Kind, ...], arrival: Arrival) -> Database:
    """Open a new database and try it. Raises UnusableDatabase."""
    database = open_database(path, name=arrival.source)
    for kind in kinds or database.kinds:
        open_database(path, kind, arrival.source)
        _refuse_older(database, kind, arrival)
        if not any(_has(database, kind, record) for record in records(database.reader)):
            raise UnusableDatabase(f"{arrival.source}: none of the records tried has a {kind}")
    _walk(database, arrival.source)
    return database


def _refuse_older(database: Database, kind: Kind, arrival: Arrival) -> None:
    used = arrival.newer_than(kind)
    if used is not None and database.built < used:
        message = (
            f"{arrival.source}: was built on {database.built:%Y-%m-%d}, before the {kind} database "
            f"in use ({used:%Y-%m-%d}); `sovproxy data import` takes it all the same"
        )
        raise UnusableDatabase(message)


def _has(database: Database, kind: Kind, record: object) -> bool:
    if not isinstance(record, dict):
        return False
    try:
        if kind == "location":
            return bool(database.country_of and country_code(database.country_of(record)))
        return bool(database.network_of and as_number(database.network_of(record)[0]))
    except (AttributeError, TypeError):  # laid out unlike its neighbours
        return False


def _walk(database: Database, name: str) -> None:
    """Act up addresses all over the tree, so that a damaged file shows itself now."""
    chance = random.Random(1)  # noqa: S311 - a sample, not a secret
    six = database.reader.metadata().ip_version == 6
    try:
        for turn in range(TRIED_ADDRESSES):
            if six and turn % 2:
                # 2000::/3, where all public IPv6 networks lie
                number = 0b001 << 125 | chance.getrandbits(125)
                database.reader.get(str(ipaddress.IPv6Address(number)))
            else:
                database.reader.get(str(ipaddress.IPv4Address(chance.getrandbits(32))))
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        raise UnusableDatabase(f"{name}: is damaged inside: {error}") from None


def fetch_and_install(
    url: str, folder: Path, kinds: tuple[Kind, ...], arrival: Arrival
) -> Installed | None:
    """Fetch a database and put it in use; None if the server says that it is still the same.

    Raises UnusableDatabase and changes nothing if anything goes wrong.
    """
    make_private_folder(folder)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as out:
            fetched = database_fetch.fetch(url, out, _etag(url, folder, kinds))
        if fetched is None:
            return None
        came = Arrival(arrival.source, arrival.at, url, fetched.etag, arrival.newer_than)
        return install(Path(name), folder, kinds, came)
    finally:
        Path(name).unlink(missing_ok=True)


def _etag(url: str, folder: Path, kinds: tuple[Kind, ...]) -> str:
    """Give the tag to ask with: only if what is in use came from this very URL and is there."""
    tags = set()
    for kind in kinds:
        current = database_shelf.read(folder)[kind].current
        known = current is not None and current.asked == url_digest(url)
        there = current is not None and (folder / current.file).exists()
        tags.add(current.etag if current is not None and known and there else "")
    return tags.pop() if len(tags) == 1 else ""
