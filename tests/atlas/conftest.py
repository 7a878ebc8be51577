"""Makes real MMDB files in the layouts that vendors document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sovproxy.atlas.database_baseline import unpacked
from sovproxy.atlas.mmdb_schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
FRESH = datetime(2026, 11, 1, tzinfo=UTC)

type Write = Callable[..., Path]


class Dated(MMDBWriter):
    """A writer with a build date of our choice."""

    built = FRESH

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": int(self.built.timestamp())}


def write(
    path: Path,
    records: dict[str, Any],
    *,
    type: str = "test",  # noqa: A002 - the word of the MMDB format
    built: datetime = FRESH,
    ip_version: int = 6,
) -> Path:
    options = {"ipv4_compatible": True} if ip_version == 6 else {}
    writer = Dated(ip_version, type, ["en"], {"en": f"{type} database"}, **options)
    writer.built = built
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def mmdb(tmp_path: Path) -> Write:
    """Write an MMDB: `mmdb("name.mmdb", {network: record}, type=…, built=…, ip_version=…)`."""
    return lambda name, records, **options: write(tmp_path / name, records, **options)


@pytest.fixture
def now() -> float:
    """23 November 2026, seconds since the epoch."""
    return NOW


@pytest.fixture(scope="session")
def unpacked_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped databases, unpacked once for all tests of this process."""
    folder = tmp_path_factory.mktemp("baseline")
    for kind in KINDS:
        unpacked(kind, folder)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, unpacked_baseline: Path) -> Path:
    """A data directory of its own, in which the shipped databases are unpacked already."""
    folder = tmp_path / "data" / "databases"
    folder.mkdir(parents=True)
    for file in unpacked_baseline.iterdir():
        (folder / file.name).hardlink_to(file)
    return folder.parent
