"""Who was seen stays on the node, by month, as long as its key, and no longer."""

from __future__ import annotations

import stat
from datetime import UTC, datetime

import pytest

from sovproxy.fleet import directory as directories
from sovproxy.fleet.directory import Directory


class Clock:
    def __init__(self) -> None:
        self.set("2026-11-02")

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    return lambda: Directory(tmp_path / "directory", 60, clock)


def test_who_was_seen_is_known_after_a_restart(make):
    first = make()
    for client in ("10.0.0.7", "ada", "10.0.0.7", "línea\nnueva"):
        first.note(client)
    assert first.clients("2026-11") == {"10.0.0.7", "ada", "línea\nnueva"}
    first.flush()
    assert make().clients("2026-11") == {"10.0.0.7", "ada", "línea\nnueva"}


def test_a_client_is_written_once_a_month(make, tmp_path, clock):
    for _ in range(3):
        seen = make()
        seen.note("ada")
        seen.flush()
    file = tmp_path / "directory" / "2026-11.jsonl"
    assert file.read_text() == '"ada"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    clock.set("2026-12-01")
    seen = make()
    seen.note("ada")
    seen.flush()
    assert seen.clients("2026-12") == {"ada"}


def test_it_goes_with_the_retention(make, tmp_path, clock):
    seen = make()
    seen.note("ada")
    seen.flush()
    (tmp_path / "directory" / "README").write_text("not ours")
    clock.set("2027-01-29")
    seen.flush()
    assert seen.clients("2026-11") == {"ada"}
    clock.set("2027-01-30")
    seen.flush()
    assert seen.clients("2026-11") == set()
    assert (tmp_path / "directory" / "README").exists()


def test_a_torn_line_loses_nobody_else(make, tmp_path):
    seen = make()
    seen.note("ada")
    seen.flush()
    with (tmp_path / "directory" / "2026-11.jsonl").open("a") as file:
        file.write('"gra')
    assert make().clients("2026-11") == {"ada"}


def test_it_is_bounded(make, monkeypatch):
    monkeypatch.setattr(directories, "MAX_CLIENTS", 2)
    seen = make()
    for number in range(5):
        seen.note(f"10.0.0.{number}")
    assert len(seen.clients("2026-11")) == 2


def test_what_cannot_be_written_now_is_written_later(make, tmp_path):
    seen = make()
    seen.note("ada")
    (tmp_path / "directory").write_text("in the way")
    with pytest.raises(OSError, match="directory"):
        seen.flush()
    (tmp_path / "directory").unlink()
    seen.flush()
    assert make().clients("2026-11") == {"ada"}
