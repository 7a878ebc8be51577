"""The shipped databases: whole, attributed, found by several processes at once, and old."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from sovproxy.atlas import database_baseline
from sovproxy.atlas.databases import Databases
from sovproxy.decide.facts import NOWHERE
from sovproxy.errors import UnusableDatabase
from sovproxy.settings import Settings

KNOWN = [
    ("15.188.1.1", "FR", 16509, "Amazon"),
    ("8.8.8.8", "US", 15169, "Google"),
    ("2.16.0.1", "NL", 20940, "Akamai International"),
    ("142.44.128.1", "CA", 16276, "OVH"),
    ("2001:41d0::1", "FR", 16276, "OVH"),
    ("2606:4700::1111", "US", 13335, "Cloudflare"),
    ("::ffff:8.8.8.8", "US", 15169, "Google"),
]


@pytest.fixture(scope="session")
def shipped(tmp_path_factory) -> Databases:
    return Databases.of(Settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.mark.parametrize("known", KNOWN, ids=[known[0] for known in KNOWN])
def test_shipped_databases_know_well_known_addresses(known, shipped, now):
    address, country, asn, organisation = known
    place = shipped.open_geo({}, now).place(address)
    assert (place.country, place.asn) == (country, asn)
    assert organisation in place.organisation


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "172.31.255.254", "100.64.0.1",
     "169.254.169.254", "198.51.100.7", "203.0.113.7", "::1", "fe80::1", "fd00::1", "2001:db8::1"],
)  # fmt: skip
def test_addresses_that_are_nobodys_stand_nowhere(address, shipped, now):
    assert shipped.open_geo({}, now).place(address) is NOWHERE


@pytest.mark.parametrize("address", ["192.167.255.255", "192.169.0.1", "172.15.255.255"])
def test_neighbours_of_reserved_addresses_keep_their_country(address, shipped, now):
    assert len(shipped.open_geo({}, now).place(address).country) == 2


@pytest.mark.parametrize("kind", ["location", "network"])
def test_what_ships_is_what_the_manifest_says(kind):
    entry = database_baseline.shipped(kind)
    packed = (database_baseline.FOLDER / entry.file).read_bytes()
    assert hashlib.sha256(packed).hexdigest() == entry.sha256_compressed
    content = lzma.decompress(packed)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.bytes, entry.sha256)
    assert len(packed) < 4_200_000


@pytest.mark.parametrize("source", ["ip-location-db", "RouteViews", "DB-IP", "NRO", "CC BY 4.0"])
def test_notice_names_every_source_of_the_data(source):
    notice = Path(__file__).parents[2] / "NOTICE"
    assert source in notice.read_text(encoding="utf-8")


def test_shipped_data_is_stale_as_a_warning_not_an_error(shipped, now):
    found = shipped.status(now)
    assert [one.error for one in found] == ["", ""]
    assert [one.stale for one in found] == [True, True]
    assert [one.built for one in found] == ["2026-06-17", "2026-06-17"]
    assert shipped.open_geo({}, now).place("8.8.8.8").stale


def test_shipped_data_was_fresh_when_it_was_built(shipped):
    july = 1_783_000_000.0
    assert not shipped.open_geo({}, july).place("8.8.8.8").stale


FIRST_USE = """
import sys
from pathlib import Path
from sovproxy.atlas.databases import Databases
from sovproxy.settings import Settings
databases = Databases.of(Settings(data_dir=Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
print(databases.open_geo({}, 0.0).place("8.8.8.8").asn)
"""


def test_processes_that_start_together_unpack_without_harm(tmp_path):
    command = [sys.executable, "-c", FIRST_USE, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=120)[0] for process in processes] == ["15169\n"] * 4
    names = sorted(path.name for path in (tmp_path / "databases").iterdir())
    assert len(names) == 2, names


def test_baseline_is_unpacked_once_and_then_only_mapped(tmp_path):
    first = database_baseline.unpacked("location", tmp_path)
    made = first.stat().st_mtime_ns
    assert database_baseline.unpacked("location", tmp_path) == first
    assert first.stat().st_mtime_ns == made


def test_half_written_baseline_is_unpacked_again(tmp_path):
    path = database_baseline.unpacked("location", tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    assert database_baseline.unpacked("location", tmp_path).stat().st_size > 1_000_000


def test_a_data_folder_that_is_a_file_gives_a_clear_error(tmp_path):
    (tmp_path / "databases").write_text("in the way")
    with pytest.raises(UnusableDatabase, match="SOVPROXY_DATA_DIR"):
        database_baseline.unpacked("location", tmp_path / "databases")
