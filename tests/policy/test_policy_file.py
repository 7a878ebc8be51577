"""A watched policy file: changes take force, a broken file does not, and says why."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from sovproxy.errors import InvalidFile
from sovproxy.policy import watch
from sovproxy.policy.known import Known
from sovproxy.policy.watch import PolicyFile

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "id: first\ntitle: {en: Ours}\ntrust_zone: EEA\n"
LATER = 10 * watch.SETTLED_SECONDS


@dataclass
class Clock:
    """Time as the watcher sees it, so many seconds after the file was last changed."""

    path: Path
    after: float = LATER

    def __call__(self) -> float:
        return self.path.stat().st_ctime + self.after


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def file(path, known):
    return PolicyFile(path, known, Clock(path))


def test_a_change_takes_force_at_the_next_look(file, path):
    path.write_text(GOOD.replace("first", "second"))
    assert file.refresh()
    assert (file.policy.id, file.last_error) == ("second", "")
    assert not file.refresh()


def test_a_file_that_did_not_change_is_not_read_again(file, path, monkeypatch):
    reads = []
    monkeypatch.setattr(watch, "read_bytes", lambda path: reads.append(path) or b"")
    assert not any(file.refresh() for _ in range(3))
    assert reads == []


def test_a_broken_file_leaves_the_last_good_policy_in_force(file, path):
    path.write_text(GOOD + "defalt: block\n")
    assert not file.refresh()
    assert file.policy.id == "first"
    assert file.last_error == (
        f"{path}:4:1: defalt: is not a key that is known here; did you mean `default`?"
    )
    assert not file.refresh()
    assert "defalt" in file.last_error


def test_the_reason_goes_once_the_file_is_good_again(file, path):
    path.write_text("id: [")
    file.refresh()
    path.write_text(GOOD.replace("first", "third"))
    assert file.refresh()
    assert (file.policy.id, file.last_error) == ("third", "")


def test_going_back_to_the_policy_in_force_clears_the_reason(file, path):
    path.write_text("id: [")
    file.refresh()
    path.write_text(GOOD)
    assert not file.refresh()
    assert file.last_error == ""


def test_a_missing_file_leaves_the_last_good_policy_in_force(file, path):
    path.unlink()
    assert not file.refresh()
    assert "cannot be read" in file.last_error
    path.write_text(GOOD)
    assert not file.refresh()
    assert (file.policy.id, file.last_error) == ("first", "")


def test_a_file_replaced_under_the_same_name_and_times_is_noticed(file, path):
    """As `cp -p` or a restored backup would do."""
    times = path.stat()
    fresh = path.with_suffix(".new")
    fresh.write_text(GOOD.replace("first", "other"))
    os.utime(fresh, ns=(times.st_atime_ns, times.st_mtime_ns))
    fresh.replace(path)
    assert file.refresh()
    assert file.policy.id == "other"


def test_a_second_write_within_one_tick_of_the_disk_is_noticed(path, known, monkeypatch):
    """Both writes carry the same stamp; a file that was only just written is read again."""
    clock = Clock(path, after=0.001)
    file = PolicyFile(path, known, clock)
    stamp = file._look()
    monkeypatch.setattr(PolicyFile, "_look", lambda _: stamp)
    path.write_text(GOOD.replace("first", "again"))
    assert file.refresh()
    assert file.policy.id == "again"


def test_a_bad_first_content_is_an_error_at_once(path, known):
    path.write_text("id: [")
    with pytest.raises(InvalidFile):
        PolicyFile(path, known)


def test_a_shipped_profile_can_be_watched_by_its_name(all_known):
    file = PolicyFile("eu", all_known)
    assert (file.policy.id, file.last_error, file.warnings) == ("eu", "", ())


def test_names_are_checked_against_a_changed_atlas(file, path, known):
    path.write_text(GOOD + "rules:\n  - {id: a, when: {service: zoom}, action: block}\n")
    assert file.refresh()
    assert not file.refresh(Known())
    assert "'zoom' is not a service of the catalogue" in file.last_error
    assert file.policy.rules
    assert not file.refresh(known)
    assert file.last_error == ""


def test_threads_that_look_together_see_one_change(file, path):
    path.write_text(GOOD.replace("first", "second"))
    changes: list[bool] = []
    threads = [threading.Thread(target=lambda: changes.append(file.refresh())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(changes) == [False] * 7 + [True]
    assert file.policy.id == "second"
