from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sovproxy.events.event import Event
from sovproxy.events.pseudonym import Pseudonyms, UnusableKeys


class Clock:
    """A clock that tests set."""

    def __init__(self, text: str) -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock("2026-11-02")


def test_the_same_client_keeps_its_pseudonym_for_the_month(tmp_path, clock):
    path = tmp_path / "keys.json"
    first = Pseudonyms(path, clock=clock).of("10.0.0.7")
    clock.set("2026-11-30T23:59:59")
    assert Pseudonyms(path, clock=clock).of("10.0.0.7") == first
    assert first.startswith("2026-11.")


def test_a_new_month_gives_an_unlinkable_pseudonym(tmp_path, clock):
    pseudonyms = Pseudonyms(tmp_path / "keys.json", clock=clock)
    first = pseudonyms.of("10.0.0.7")
    clock.set("2026-12-01")
    second = pseudonyms.of("10.0.0.7")
    assert second.startswith("2026-12.")
    assert first.partition(".")[2] != second.partition(".")[2]


def test_different_clients_and_different_nodes_never_share_a_pseudonym(tmp_path, clock):
    one = Pseudonyms(tmp_path / "one" / "keys.json", clock=clock)
    two = Pseudonyms(tmp_path / "two" / "keys.json", clock=clock)
    assert len({one.of("10.0.0.7"), one.of("10.0.0.8"), two.of("10.0.0.7")}) == 3


def test_the_key_file_is_readable_by_its_owner_only(tmp_path, clock):
    path = tmp_path / "data" / "keys.json"
    Pseudonyms(path, clock=clock).of("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_old_keys_are_kept_for_retention_and_then_destroyed(tmp_path, clock):
    pseudonyms = Pseudonyms(tmp_path / "keys.json", retention_days=60, clock=clock)
    november = pseudonyms.of("10.0.0.7")
    clock.set("2026-12-15")
    december = pseudonyms.of("10.0.0.7")
    assert pseudonyms.every("10.0.0.7") == (november, december)
    clock.set("2027-02-01")
    pseudonyms.of("10.0.0.7")
    assert november not in pseudonyms.every("10.0.0.7")
    assert december in pseudonyms.every("10.0.0.7")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys": {"2026-11": "AAAA"}}', '{"keys": {"x": 1}}', "\0"]
)
def test_a_damaged_key_file_is_never_overwritten(tmp_path, clock, content):
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(UnusableKeys, match="does not hold pseudonym keys"):
        Pseudonyms(path, clock=clock).of("x")
    assert path.read_text() == content


def test_a_folder_that_cannot_be_made_is_a_clear_error(clock):
    with pytest.raises(UnusableKeys, match=r"cannot be written"):
        Pseudonyms(Path("/proc/sovproxy/keys.json"), clock=clock).of("x")


def test_an_event_accepts_what_pseudonyms_makes(tmp_path, clock, make_event):
    client = Pseudonyms(tmp_path / "keys.json", clock=clock).of("2001:db8::1")
    assert isinstance(make_event(client=client), Event)


def test_absurd_clients_still_get_a_pseudonym(tmp_path, clock):
    pseudonyms = Pseudonyms(tmp_path / "keys.json", clock=clock)
    assert len({pseudonyms.of(text) for text in ("", "\ud800", "x" * 100_000)}) == 3
