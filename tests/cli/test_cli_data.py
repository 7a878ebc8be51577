"""`sovproxy data`: exit codes, warnings on standard error, one JSON object per line."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from typer.testing import CliRunner

from sovproxy.cli.data import app

if TYPE_CHECKING:
    from pathlib import Path


class Dated(MMDBWriter):
    built = 0.0

    def _build_meta(self):
        return {**super()._build_meta(), "build_epoch": int(self.built)}


def database(path: Path, record: dict[str, object], *, age_days: float = 1) -> Path:
    writer = Dated(6, "GeoLite2-Test", ["en"], {"en": "Test"}, ipv4_compatible=True)
    writer.built = time.time() - age_days * 86_400
    writer.insert_network(IPSet(["0.0.0.0/1"]), record)
    writer.to_db_file(str(path))
    return path


LITE = {"country_code": "FR", "asn": "AS64500", "as_name": "Lite"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `sovproxy data …` with a data directory of its own."""
    for name in ("LOCATION_UPDATE_URL", "NETWORK_UPDATE_URL", "LOCATION_DATABASE"):
        monkeypatch.delenv(f"SOVPROXY_{name}", raising=False)
    monkeypatch.setenv("SOVPROXY_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def objects(result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_status_of_a_fresh_installation_warns_of_age_and_exits_1(run):
    result = run("status")
    assert result.exit_code == 1, result.output
    assert "built           2026-06-17" in result.stdout
    assert "(STALE)" in result.stdout
    assert "warning: the location database is" in result.stderr
    assert "sovproxy data update" in result.stderr


def test_status_as_json_is_one_object_per_database(run):
    location, network = objects(run("status", "--json"))
    assert (location["kind"], location["origin"], location["stale"]) == (
        "location",
        "baseline",
        True,
    )
    assert network["type"] == "sovproxy-asn"
    assert len(network["sha256"]) == 64


def test_status_with_fresh_databases_exits_0_without_a_word_of_warning(run, tmp_path):
    assert run("import", database(tmp_path / "lite.mmdb", LITE)).exit_code == 0
    result = run("status")
    assert (result.exit_code, result.stderr) == (0, "")
    assert str(tmp_path / "lite.mmdb") in result.stdout


def test_status_of_a_broken_database_exits_3_and_says_which(run, tmp_path, monkeypatch):
    (tmp_path / "broken.mmdb").write_text("no")
    monkeypatch.setenv("SOVPROXY_LOCATION_DATABASE", str(tmp_path / "broken.mmdb"))
    result = run("status")
    assert result.exit_code == 3
    assert f"{tmp_path / 'broken.mmdb'}: cannot be read as an MMDB" in result.stderr


def test_import_tells_what_it_put_in_use(run, tmp_path):
    result = run("import", database(tmp_path / "lite.mmdb", LITE), "--json")
    assert [(o["kind"], o["result"]) for o in objects(result)] == [
        ("location", "imported"),
        ("network", "imported"),
    ]


def test_import_for_one_kind_touches_only_that(run, tmp_path):
    result = run("import", database(tmp_path / "lite.mmdb", LITE), "--kind", "network")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["network"]


def test_import_of_an_old_database_works_and_exits_1(run, tmp_path):
    result = run("import", database(tmp_path / "old.mmdb", LITE, age_days=120))
    assert result.exit_code == 1
    assert "120 days old" in result.stderr
    assert objects(run("status", "--json"))[0]["origin"] == "imported"


def test_import_of_something_else_exits_3_with_a_reason(run, tmp_path):
    (tmp_path / "page.html").write_text("<html>")
    result = run("import", tmp_path / "page.html")
    assert result.exit_code == 3
    assert "page.html: cannot be read as an MMDB database" in result.stderr
    assert ".new-" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("import", "/no/such/file"), ("import",), ("import", "x", "--kind", "y"), ("fly",)],
)
def test_wrong_use_exits_2(arguments, run):
    assert run(*arguments).exit_code == 2


def test_update_without_a_url_exits_2_and_says_how_to_set_one(run):
    result = run("update")
    assert result.exit_code == 2
    assert "SOVPROXY_LOCATION_UPDATE_URL" in result.stderr


def test_update_from_a_file_works(run, tmp_path, monkeypatch):
    file = database(tmp_path / "lite.mmdb", LITE)
    monkeypatch.setenv("SOVPROXY_NETWORK_UPDATE_URL", str(file))
    first, second = run("update", "--json"), run("update")
    assert (first.exit_code, objects(first)[0]["result"]) == (0, "imported")
    assert "network: unchanged: " in second.stdout


def test_failed_update_exits_3_and_json_still_says_so(run, monkeypatch):
    monkeypatch.setenv("SOVPROXY_NETWORK_UPDATE_URL", "/no/such/file")
    result = run("update", "--json")
    assert result.exit_code == 3
    assert objects(result)[0]["result"] == "failed"
    assert "network: failed: /no/such/file" in result.stderr


def test_rollback_goes_back_to_the_baseline(run, tmp_path):
    run("import", database(tmp_path / "lite.mmdb", LITE))
    result = run("rollback", "--kind", "network")
    assert result.exit_code == 1, "the baseline is stale"
    assert "in use is the shipped baseline" in result.stdout
    assert [o["origin"] for o in objects(run("status", "--json"))] == ["imported", "baseline"]


def test_rollback_without_an_import_exits_3(run):
    result = run("rollback")
    assert result.exit_code == 3
    assert "no import of any kind to undo" in result.stderr


def test_settings_that_are_not_valid_exit_2(run, monkeypatch):
    monkeypatch.setenv("SOVPROXY_PROXY_PORT", "many")
    result = run("status")
    assert result.exit_code == 2
    assert "setting SOVPROXY_PROXY_PORT: " in result.stderr
