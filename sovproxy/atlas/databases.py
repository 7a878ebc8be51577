"""Which GeoIP and ASN databases are in use, how old they are, and how they are replaced.

For each kind: the file that the settings name, else the imported one, else the shipped baseline.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from sovproxy.atlas import database_baseline, database_fetch, database_shelf
from sovproxy.atlas.database_install import Arrival, Installed, fetch_and_install, install
from sovproxy.atlas.geo import Geo, is_stale
from sovproxy.atlas.mmdb_schema import KINDS, Kind, open_database
from sovproxy.errors import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sovproxy.decide.facts import Operator
    from sovproxy.settings import Settings

type Origin = Literal["settings", "imported", "baseline"]


@dataclass(frozen=True, slots=True)
class Status:
    """What is known about the database in use for one kind of fact.

    `error` says why it cannot be used; the fields after it are empty then. `built` is an ISO date,
    `size` in bytes, `previous` whether `rollback` would change something.
    """

    kind: Kind
    origin: Origin
    path: str
    source: str = ""
    previous: bool = False
    error: str = ""
    type: str = ""
    title: str = ""
    built: str = ""
    age_days: int = 0
    stale: bool = False
    sha256: str = ""
    size: int = 0
    nodes: int = 0
    ip_version: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import, update or rollback did for one kind of database."""

    kind: Kind
    result: Literal["imported", "unchanged", "rolled_back", "failed"]
    message: str


@dataclass(frozen=True, slots=True)
class Databases:
    """The databases of one installation, in `folder`. Paths and URLs come from the settings."""

    folder: Path
    configured: Mapping[Kind, Path | None]
    update_urls: Mapping[Kind, str]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make it from the settings."""
        return cls(
            settings.data_dir / "databases",
            {"location": settings.location_database, "network": settings.network_database},
            {"location": settings.location_update_url, "network": settings.network_update_url},
        )

    def origin(self, kind: Kind) -> Origin:
        """Say where the database in use comes from. Raises UnusableDatabase."""
        if self.configured[kind] is not None:
            return "settings"
        return "imported" if database_shelf.read(self.folder)[kind].current else "baseline"

    def path(self, kind: Kind) -> Path:
        """Give the file in use; unpacks the baseline on first use. Raises UnusableDatabase."""
        configured = self.configured[kind]
        if configured is not None:
            return configured
        current = database_shelf.read(self.folder)[kind].current
        if current is not None:
            return self.folder / current.file
        return database_baseline.unpacked(kind, self.folder)

    def open_geo(self, operators_by_asn: Mapping[int, Operator], now: float) -> Geo:
        """Open the databases in use. `now` is seconds since the epoch. Raises UnusableDatabase."""
        before = self.generation()
        try:
            return self._open_geo(operators_by_asn, now)
        except UnusableDatabase:
            if self.generation() == before:
                raise
        # They were swapped between reading their names and opening them.
        return self._open_geo(operators_by_asn, now)

    def _open_geo(self, operators_by_asn: Mapping[int, Operator], now: float) -> Geo:
        location, network = self.path("location"), self.path("network")
        return Geo.open(location, network, operators_by_asn, now, copied=self._foreign)

    @property
    def _foreign(self) -> tuple[Path, ...]:
        """Files that others may overwrite; those in `folder` are only ever renamed over."""
        return tuple(path for path in self.configured.values() if path is not None)

    def generation(self) -> tuple[tuple[int, int, int], ...]:
        """Give a token that changes when other files come into use. Costs one to three stat calls.

        A node compares it now and then, and calls `open_geo` when it has changed.
        """
        manifest = self.folder / database_shelf.MANIFEST
        paths = (manifest, *(path for path in self.configured.values() if path is not None))
        return tuple(database_shelf.token(path) for path in paths)

    def status(self, now: float) -> tuple[Status, ...]:
        """Describe the databases in use. What cannot be used is described by its error."""
        return tuple(self._status(kind, now) for kind in KINDS)

    def _status(self, kind: Kind, now: float) -> Status:
        status = Status(kind, "imported", str(self.folder / database_shelf.MANIFEST))
        try:
            status = replace(status, origin=self.origin(kind))
            status = replace(status, path=str(self.path(kind)))
            shelf = database_shelf.read(self.folder)[kind]
            status = replace(status, previous=bool(_files(shelf)))
            if status.origin == "imported" and shelf.current:
                status = replace(status, source=shelf.current.source)
            if status.origin == "baseline":
                status = replace(status, source=database_baseline.shipped(kind).source)
            return _described(status, now, copied=self.configured[kind] is not None)
        except UnusableDatabase as error:
            return replace(status, error=str(error))

    def import_file(self, file: Path, kind: Kind | None, now: float) -> tuple[Outcome, ...]:
        """Put a file in use, for one kind or for all that it holds; keep the one before.

        Raises UnusableDatabase, and changes nothing, if anything about it is wrong.
        """
        arrival = Arrival(str(file.absolute()), datetime.fromtimestamp(now, UTC))
        installed = install(file, self.folder, (kind,) if kind else (), arrival)
        return tuple(self._outcomes(installed))

    def update(self, now: float) -> tuple[Outcome, ...]:
        """Fetch from the URLs of the settings. A failure of one leaves what it was for unchanged.

        Two kinds with the same URL are fetched once. Empty if no URL is configured.
        """
        by_url: dict[str, tuple[Kind, ...]] = {}
        for kind in KINDS:
            if url := self.update_urls[kind]:
                by_url[url] = (*by_url.get(url, ()), kind)
        return tuple(o for url, kinds in by_url.items() for o in self._update(url, kinds, now))

    def _update(self, url: str, kinds: tuple[Kind, ...], now: float) -> Iterator[Outcome]:
        at = datetime.fromtimestamp(now, UTC)
        arrival = Arrival(database_fetch.shown(url), at, newer_than=self._built)
        try:
            installed = fetch_and_install(url, self.folder, kinds, arrival)
        except UnusableDatabase as error:
            yield from (Outcome(kind, "failed", str(error)) for kind in kinds)
            return
        if installed is None:
            message = f"{arrival.source} still has the database in use"
            yield from (Outcome(kind, "unchanged", message) for kind in kinds)
            return
        yield from self._outcomes(installed)

    def _built(self, kind: Kind) -> datetime | None:
        """Give the build date of the database in use, if there is a usable one."""
        try:
            path = self.path(kind)
            return open_database(path, kind, copied=path in self._foreign).built
        except UnusableDatabase:
            return None

    def _outcomes(self, installed: Installed) -> Iterator[Outcome]:
        database = installed.database
        for kind, result in installed.results.items():
            message = f"{database.title} ({database.type}), built on {database.built:%Y-%m-%d}"
            yield Outcome(kind, result, message + self._overridden(kind))

    def _overridden(self, kind: Kind) -> str:
        configured = self.configured[kind]
        if configured is None:
            return ""
        return f"; not used while the setting {kind}_database names {configured}"

    def rollback(self, kind: Kind | None = None) -> tuple[Outcome, ...]:
        """Put back what was in use before the last import; once more undoes that.

        Without a kind: all kinds that have an import. Raises UnusableDatabase, and changes
        nothing, if there is nothing to go back to or it cannot be used any more.
        """
        with database_shelf.locked(self.folder):
            shelves = database_shelf.read(self.folder)
            chosen = [k for k in ((kind,) if kind else KINDS) if any(_files(shelves[k]))]
            if not chosen:
                raise UnusableDatabase(f"{self.folder}: no import of {kind or 'any kind'} to undo")
            for one in chosen:
                shelves[one] = shelves[one].back()
                if current := shelves[one].current:
                    open_database(self.folder / current.file, one)
            database_shelf.write(self.folder, shelves)
        return tuple(self._rolled_back(k, shelves[k]) for k in chosen)

    def _rolled_back(self, kind: Kind, shelf: database_shelf.Shelf) -> Outcome:
        source = shelf.current.source if shelf.current else "the shipped baseline"
        return Outcome(kind, "rolled_back", f"in use is {source}{self._overridden(kind)}")


def _files(shelf: database_shelf.Shelf) -> tuple[str, ...]:
    return tuple(i.file for i in (shelf.current, shelf.previous) if i is not None)


def _described(status: Status, now: float, *, copied: bool) -> Status:
    """Add what the file itself says. Raises UnusableDatabase."""
    path = Path(status.path)
    database = open_database(path, status.kind, copied=copied)
    metadata = database.reader.metadata()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return replace(
        status,
        type=database.type,
        title=database.title,
        built=database.built.date().isoformat(),
        age_days=(datetime.fromtimestamp(now, UTC) - database.built).days,
        stale=is_stale(database.built, now),
        sha256=digest,
        size=path.stat().st_size,
        nodes=metadata.node_count,
        ip_version=metadata.ip_version,
    )
