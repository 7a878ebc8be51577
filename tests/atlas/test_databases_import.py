"""Importing: whole or not at all, one kind or both, the old one kept, running nodes notice."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sovproxy.atlas import database_unpack
from sovproxy.atlas.databases import Databases
from sovproxy.errors import UnusableDatabase
from sovproxy.settings import Settings

PARIS = "15.188.0.0/16"
ADDRESS = "15.188.1.1"


def country(code: str) -> dict[str, object]:
    return {PARIS: {"country_code": code}}


def asn(number: int) -> dict[str, object]:
    record = {"autonomous_system_number": number, "autonomous_system_organization": "Org"}
    return {PARIS: record}


@pytest.fixture
def databases(data_dir) -> Databases:
    return Databases.of(Settings(data_dir=data_dir))


def left_over(databases: Databases) -> list[str]:
    return [path.name for path in databases.folder.glob(".new-*")]


def test_imported_database_is_used_and_says_where_it_came_from(databases, mmdb, now):
    file = mmdb("mine.mmdb", country("CH"), type="GeoLite2-Country")
    (outcome,) = databases.import_file(file, None, now)
    assert (outcome.kind, outcome.result) == ("location", "imported")
    assert databases.open_geo({}, now).place(ADDRESS).country == "CH"
    location, network = databases.status(now)
    assert (location.origin, location.source, location.stale) == ("imported", str(file), False)
    assert (location.type, location.built) == ("GeoLite2-Country", "2026-11-01")
    assert network.origin == "baseline"


def test_combined_database_is_imported_for_both_kinds_and_read_once(databases, mmdb, now):
    record = {"country_code": "FR", "asn": "AS64500", "as_name": "Lite"}
    outcomes = databases.import_file(mmdb("lite.mmdb", {PARIS: record}), None, now)
    assert [outcome.kind for outcome in outcomes] == ["location", "network"]
    geo = databases.open_geo({}, now)
    assert geo.location.reader is geo.network.reader
    assert geo.place(ADDRESS).asn == 64500


def test_combined_database_can_be_imported_for_one_kind_only(databases, mmdb, now):
    record = {"country_code": "CH", "asn": "AS64500", "as_name": "Lite"}
    databases.import_file(mmdb("lite.mmdb", {PARIS: record}), "location", now)
    place = databases.open_geo({}, now).place(ADDRESS)
    assert (place.country, place.asn) == ("CH", 16509)


def packed(kind: str, content: bytes, name: str = "GeoLite2/GeoLite2-ASN.mmdb") -> bytes:
    out = io.BytesIO()
    if kind == "gz":
        return gzip.compress(content)
    if kind == "xz":
        return lzma.compress(content)
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", "read me")
            archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=out, mode=f"w:{kind.removeprefix('tar.')}") as archive:
            add(archive, "GeoLite2/LICENSE.txt", b"licence")
            add(archive, name, content)
    return out.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes, **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["gz", "xz", "zip", "tar.gz", "tar.xz"])
def test_packed_databases_are_imported_whatever_their_name(kind, databases, mmdb, now, tmp_path):
    file = tmp_path / "download"
    file.write_bytes(packed(kind, mmdb("n.mmdb", asn(64500)).read_bytes()))
    databases.import_file(file, None, now)
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64500
    assert left_over(databases) == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["../../evil.mmdb", "/etc/evil.mmdb", "a/../../b.mmdb"])
def test_names_inside_an_archive_never_decide_where_files_go(kind, name, databases, mmdb, tmp_path):
    file = tmp_path / "archive"
    file.write_bytes(packed(kind, mmdb("n.mmdb", asn(64500)).read_bytes(), name))
    databases.import_file(file, None, 0.0)
    found = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.mmdb")}
    assert found == {"n.mmdb", "data"}
    assert not Path("/etc/evil.mmdb").exists()


def bombs(content: bytes) -> dict[str, bytes]:
    two, link, many = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=two, mode="w:gz") as archive:
        add(archive, "a.mmdb", content)
        add(archive, "b.mmdb", content)
    with tarfile.open(fileobj=link, mode="w") as archive:
        add(archive, "a.mmdb", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(150):
            archive.writestr(f"{number}.txt", "x")
        archive.writestr("a.mmdb", content)
    return {
        "two databases": two.getvalue(),
        "a link": link.getvalue(),
        "too many members": many.getvalue(),
        "packed again and again": gzip.compress(
            gzip.compress(gzip.compress(gzip.compress(content)))
        ),
        "truncated gz": gzip.compress(content)[:-20],
        "truncated xz": lzma.compress(content)[:-20],
        "truncated zip": packed("zip", content)[:-40],
        "truncated database": content[:-30],
        "damaged gz": gzip.compress(content).replace(content[:0], b"", 1)[:60] + b"\0" * 99,
        "a page": b"<!doctype html><title>Sign in</title>",
        "nothing": b"",
        "an empty tar": b"\0" * 257 + b"ustar" + b"\0" * 9999,
    }


@pytest.mark.parametrize("what", list(bombs(b"content")))
def test_what_is_not_one_whole_database_is_refused_whole(what, databases, mmdb, now, tmp_path):
    databases.import_file(mmdb("good.mmdb", asn(64500)), None, now)
    before = databases.generation()
    file = tmp_path / "arrived.bin"
    file.write_bytes(bombs(mmdb("n.mmdb", asn(64501)).read_bytes())[what])
    with pytest.raises(UnusableDatabase, match=r"arrived\.bin: "):
        databases.import_file(file, None, now)
    assert databases.generation() == before
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64500
    assert left_over(databases) == []


@pytest.mark.parametrize("kind", ["gz", "xz", "zip", "tar.gz"])
def test_a_bomb_is_stopped_at_the_limit(kind, tmp_path):
    file = tmp_path / "bomb"
    file.write_bytes(packed(kind, b"\0" * 5_000_000))
    assert file.stat().st_size < 50_000
    with pytest.raises(UnusableDatabase, match="larger than the limit of 1000000 bytes"):
        database_unpack.unpack(file, tmp_path, limit=1_000_000)
    assert list(tmp_path.glob(".new-*")) == []


def test_a_database_without_the_wanted_facts_is_refused(databases, mmdb, now):
    with pytest.raises(UnusableDatabase, match="wanted for location: country"):
        databases.import_file(mmdb("asn.mmdb", asn(64500)), "location", now)
    with pytest.raises(UnusableDatabase, match="none of the records tried has a location"):
        databases.import_file(mmdb("empty.mmdb", country("")), None, now)
    assert not (databases.folder / "databases.json").exists()


def test_damage_deep_inside_a_database_is_found_before_it_is_used(databases, mmdb, now, tmp_path):
    records = {f"{n}.{m}.0.0/16": {"country_code": "FR"} for n in range(1, 5) for m in range(150)}
    records["128.0.0.0/2"] = {"country_code": "FR", "city": "somewhere"}
    content = mmdb("big.mmdb", records).read_bytes()
    at = content.index(b"somewhere") - 1
    file = tmp_path / "damaged.mmdb"
    file.write_bytes(content[:at] + b"\x5f" + content[at + 1 :])  # a string without an end
    with pytest.raises(UnusableDatabase, match=r"damaged\.mmdb: is damaged inside"):
        databases.import_file(file, None, now)


def test_rollback_goes_back_and_once_more_undoes_it(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    databases.import_file(mmdb("b.mmdb", asn(64501)), None, now)
    databases.rollback()
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64500
    databases.rollback("network")
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64501


def test_rollback_of_the_first_import_goes_back_to_the_baseline(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    (outcome,) = databases.rollback()
    assert "the shipped baseline" in outcome.message
    assert databases.open_geo({}, now).place(ADDRESS).asn == 16509


def test_rollback_without_an_import_is_a_clear_error(databases):
    with pytest.raises(UnusableDatabase, match="no import of network to undo"):
        databases.rollback("network")


def test_rollback_to_a_file_that_is_gone_changes_nothing(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    first = databases.path("network")
    databases.import_file(mmdb("b.mmdb", asn(64501)), None, now)
    first.unlink()
    with pytest.raises(UnusableDatabase):
        databases.rollback()
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64501


def test_only_the_current_and_the_previous_import_are_kept(databases, mmdb, now):
    for number in (64500, 64501, 64502, 64503):
        databases.import_file(mmdb("a.mmdb", asn(number)), None, now)
    assert len(list(databases.folder.glob("imported-*"))) == 2


def test_importing_the_same_file_again_keeps_the_previous_one(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    second = mmdb("b.mmdb", asn(64501))
    databases.import_file(second, None, now)
    (outcome,) = databases.import_file(second, None, now)
    assert outcome.result == "unchanged"
    databases.rollback()
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64500


def test_a_running_node_notices_every_swap_and_keeps_its_old_answers(databases, mmdb, now):
    tokens = [databases.generation()]
    running = databases.open_geo({}, now)
    for number in (64500, 64501, 64502):
        databases.import_file(mmdb("a.mmdb", asn(number)), None, now)
        tokens.append(databases.generation())
    databases.rollback()
    tokens.append(databases.generation())
    assert len(set(tokens)) == len(tokens)
    assert databases.generation() == tokens[-1]
    assert running.place(ADDRESS).asn == 16509


def test_settings_outrank_imports_and_an_import_says_so(data_dir, mmdb, now):
    file = mmdb("set.mmdb", asn(64510))
    databases = Databases.of(Settings(data_dir=data_dir, network_database=file))
    (outcome,) = databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    assert f"not used while the setting network_database names {file}" in outcome.message
    assert databases.open_geo({}, now).place(ADDRESS).asn == 64510
    assert databases.status(now)[1].origin == "settings"


def test_replacing_a_file_that_the_settings_name_is_noticed(data_dir, mmdb):
    file = mmdb("set.mmdb", asn(64510))
    databases = Databases.of(Settings(data_dir=data_dir, network_database=file))
    before = databases.generation()
    mmdb("new.mmdb", asn(64511)).replace(file)
    assert databases.generation() != before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"network": {"current": 3}}',
        '{"network": {"current": {"file": "x"}}}',
        """{"network": {"current":
        {"file": "../x.mmdb", "sha256": "", "source": "", "imported_at": ""}}}""",
    ],
)
def test_a_damaged_list_of_imports_is_an_error_that_says_what_to_do(text, databases, now):
    (databases.folder / "databases.json").write_text(text)
    with pytest.raises(UnusableDatabase, match="remove it to go back to the shipped databases"):
        databases.path("network")
    assert all("databases.json" in one.error for one in databases.status(now))


def test_a_missing_imported_file_shows_as_an_error_in_the_status(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    databases.path("network").unlink()
    location, network = databases.status(now)
    assert location.error == ""
    assert "cannot be read" in network.error


def test_status_tells_the_age_of_what_was_imported(databases, mmdb, now):
    old = datetime(2026, 8, 1, tzinfo=UTC)
    databases.import_file(mmdb("a.mmdb", asn(64500), built=old), None, now)
    network = databases.status(now)[1]
    assert (network.age_days, network.stale, network.built) == (114, True, "2026-08-01")


def test_the_list_of_imports_is_plain_json_without_surprises(databases, mmdb, now):
    databases.import_file(mmdb("a.mmdb", asn(64500)), None, now)
    entry = json.loads((databases.folder / "databases.json").read_text())["network"]["current"]
    assert entry["imported_at"] == "2026-11-23T00:00:00+00:00"
    assert len(entry["sha256"]) == 64


def test_imports_at_the_same_time_take_turns(databases, mmdb, now):
    files = [mmdb(f"{number}.mmdb", asn(number)) for number in range(64500, 64508)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda file: databases.import_file(file, None, now), files))
    assert [outcome.result for (outcome,) in done] == ["imported"] * 8
    in_use = databases.open_geo({}, now).place(ADDRESS).asn
    databases.rollback()
    before = databases.open_geo({}, now).place(ADDRESS).asn
    assert len({in_use, before} & set(range(64500, 64508))) == 2
    assert len(list(databases.folder.glob("imported-*"))) == 2
