"""An administration's own entries: named by what they are, and put down elsewhere as one thing."""

from __future__ import annotations

import os
import threading

import pytest

from sovproxy.atlas import entries as entries_module
from sovproxy.atlas import follow
from sovproxy.atlas.carried import (
    carried_digest,
    carried_folder,
    remove_carried,
    write_carried,
)
from sovproxy.atlas.entries import Entries, digest_of, read_entries
from sovproxy.atlas.follow import CatalogueFolder, OwnEntries
from sovproxy.errors import InvalidFile

MEET = """\
id: meet-example
name: Meet Example
category: videoconference
operator: zoom-communications
stance: replace
hosts:
  - names: ["*.meet.example"]
    source: the tests
    as_of: 2026-11-23
    verification: verified
"""
OTHER = MEET.replace("meet-example", "other-example").replace("meet.example", "other.example")


def entries(**texts):
    files = {f"services/{name.replace('_', '-')}.yaml": text for name, text in texts.items()}
    return Entries(digest_of(files), files)


ONE = entries(meet_example=MEET)
TWO = entries(meet_example=MEET, other_example=OTHER)
BROKEN = entries(meet_example="id: meet-example\n")


def put(folder, given):
    for name, text in given.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def of_machine(data):
    """The catalogue as a machine with this data directory follows it."""
    return CatalogueFolder(data / "catalogue", carried=carried_folder(data))


def test_a_folder_is_named_by_its_files_and_by_nothing_else(tmp_path):
    put(tmp_path / "here", TWO)
    put(tmp_path / "there", TWO)
    (tmp_path / "there" / ".lock").touch()
    (tmp_path / "there" / "README.yaml").touch()
    os.utime(tmp_path / "there" / "services" / "meet-example.yaml", (1, 1))
    assert read_entries(tmp_path / "here") == read_entries(tmp_path / "there") == TWO
    assert read_entries(tmp_path / "nowhere") == Entries()
    (tmp_path / "there" / "services" / "meet-example.yaml").write_text(MEET + "\n")
    assert read_entries(tmp_path / "there").digest != TWO.digest


def test_what_is_put_down_is_read_back_privately(data):
    write_carried(data, TWO)
    assert read_entries(carried_folder(data)) == TWO
    assert carried_digest(data) == TWO.digest
    for path in (data / "fleet").rglob("*"):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_version_before_stays_for_who_reads_it_and_older_ones_go(data):
    versions = [entries(meet_example=MEET + "\n" * number) for number in range(4)]
    for version in versions:
        before = carried_folder(data).resolve() if carried_digest(data) else None
        write_carried(data, version)
        assert before is None or read_entries(before).files
        assert carried_digest(data) == version.digest
    kept = {path.name for path in (data / "fleet" / "catalogues").iterdir()}
    assert kept == {versions[2].digest, versions[3].digest}


def test_a_write_that_was_cut_off_is_begun_again(data):
    draft = data / "fleet" / "catalogues" / ".draft" / "services"
    draft.mkdir(parents=True)
    (draft / "half.yaml").write_text("id: ha")
    write_carried(data, ONE)
    assert read_entries(carried_folder(data)) == ONE


def test_what_was_put_down_can_be_taken_away(data):
    remove_carried(data)  # nothing is there
    write_carried(data, ONE)
    remove_carried(data)
    assert carried_digest(data) == ""
    assert list((data / "fleet").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "../x.yaml",
        "/etc/x.yaml",
        "services/../x.yaml",
        "services/a/b.yaml",
        "services/.x.yaml",
        "services/x.yml",
        "services/x.yaml\n",
        "other/x.yaml",
        "x.yaml",
        "",
    ],
)
def test_a_file_that_would_lie_elsewhere_is_not_written(data, name):
    files = {name: MEET}
    with pytest.raises(ValueError, match="a name that none may have"):
        write_carried(data, Entries(digest_of(files), files))
    assert not data.exists()


def test_a_version_that_is_no_digest_is_not_written(data):
    with pytest.raises(ValueError, match="no digest"):
        write_carried(data, Entries("../..", ONE.files))


def test_a_machine_without_a_folder_of_its_own_judges_by_what_it_was_told(data, of_machine):
    assert "meet-example" not in of_machine.load().services
    write_carried(data, ONE)
    atlas = of_machine.changed()
    assert "meet-example" in atlas.services
    assert (of_machine.digest, of_machine.is_own) == (ONE.digest, False)
    assert of_machine.changed() is None
    write_carried(data, TWO)
    assert "other-example" in of_machine.changed().services
    remove_carried(data)
    assert "meet-example" not in of_machine.changed().services
    assert of_machine.digest == ""


def test_a_folder_of_its_own_goes_before_what_it_was_told(data, of_machine):
    write_carried(data, ONE)
    put(data / "catalogue", entries(other_example=OTHER))
    services = of_machine.load().services
    assert "other-example" in services
    assert "meet-example" not in services
    assert of_machine.is_own


def test_what_does_not_fit_keeps_the_last_good_and_does_not_keep_a_node_from_starting(
    data, of_machine
):
    write_carried(data, ONE)
    of_machine.load()
    write_carried(data, BROKEN)
    with pytest.raises(InvalidFile):
        of_machine.changed()
    assert "meet-example.yaml" in of_machine.problem
    assert of_machine.digest == ONE.digest  # what is in use
    assert of_machine.changed() is None  # it is not read again and again
    anew = CatalogueFolder(data / "catalogue", carried=carried_folder(data))
    assert "zoom" in anew.load().services
    assert "meet-example.yaml" in anew.problem
    write_carried(data, TWO)
    assert "other-example" in anew.changed().services
    assert anew.problem == ""


def test_a_broken_folder_of_its_own_still_keeps_a_node_from_starting(data, of_machine):
    put(data / "catalogue", BROKEN)
    with pytest.raises(InvalidFile):
        of_machine.load()


def test_readers_never_see_half_of_two_versions(data, of_machine):
    first, second = (
        entries(meet_example=MEET + end, other_example=OTHER + end) for end in ("", "\n")
    )
    write_carried(data, first)
    stop, odd = threading.Event(), []

    def read():
        while not stop.is_set():
            found = read_entries(carried_folder(data).resolve()).digest
            if found not in {first.digest, second.digest}:
                odd.append(found)

    reading = threading.Thread(target=read)
    reading.start()
    for number in range(60):
        write_carried(data, (first, second)[number % 2])
    stop.set()
    reading.join()
    assert odd == []


def test_the_api_tells_what_makes_a_catalogue_and_keeps_the_last_good(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0)
    folder = tmp_path / "catalogue"
    own = OwnEntries(folder)
    assert own.present() == Entries()
    assert OwnEntries(folder, needed=True).present() is None
    put(folder, ONE)
    assert own.present() == ONE
    put(folder, BROKEN)
    assert own.present() == ONE
    put(folder, TWO)
    assert own.present() == TWO
    folder.rename(tmp_path / "away")
    needed = OwnEntries(tmp_path / "away", needed=True)
    assert needed.present() == TWO
    (tmp_path / "away").rename(folder)
    assert needed.present() == TWO  # as when a disk is not there for a while
    (folder / "services" / "meet-example.yaml").unlink()
    (folder / "services" / "other-example.yaml").unlink()
    assert own.present() == Entries()


def test_a_folder_that_cannot_be_read_now_is_read_later(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0)
    folder = tmp_path / "catalogue"
    put(folder, ONE)
    own = OwnEntries(folder)
    real = follow.read_entries

    def fails(_folder):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(follow, "read_entries", fails)
    assert own.present() is None
    monkeypatch.setattr(follow, "read_entries", real)
    assert own.present() == ONE


def test_links_to_folders_are_followed_as_the_catalogue_follows_them(tmp_path):
    put(tmp_path / "elsewhere", ONE)
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "services").symlink_to(tmp_path / "elsewhere" / "services")
    assert read_entries(tmp_path / "catalogue") == ONE
    (tmp_path / "catalogue" / "services" / "loop.yaml").symlink_to("loop.yaml")
    assert read_entries(tmp_path / "catalogue") == ONE


def test_more_than_nodes_are_told_is_not_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0)
    monkeypatch.setattr(entries_module, "MAX_BYTES", len(MEET) + 1)
    own = OwnEntries(tmp_path)
    put(tmp_path, ONE)
    assert own.present() == ONE
    put(tmp_path, TWO)
    assert own.present() == ONE
    assert OwnEntries(tmp_path).present() is None
    assert "nodes keep the last entries" in caplog.text
