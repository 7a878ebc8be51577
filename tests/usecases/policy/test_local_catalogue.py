"""What is added or said otherwise locally is checked with everything, or not written at all."""

from __future__ import annotations

import threading

import pytest
from pydantic_core import from_json

from sovproxy.atlas import entries
from sovproxy.atlas.load import SHIPPED
from sovproxy.errors import InvalidFile
from sovproxy.settings import Settings
from sovproxy.store import audit
from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import Principal, Role
from sovproxy.usecases.policy.judging import Judge
from sovproxy.usecases.policy.local_catalogue import MAX_TEXT, Kind, LocalCatalogue, NoSuchEntry
from tests.baseline import furnished

ADA = Principal("0" * 16, "Ada", Role.ADMIN)
MEET = """\
id: meet-example
name: Meet Example
category: videoconference
operator: zoom-communications
stance: replace
alternatives: [visio]
hosts:
  - names: ["*.meet.example"]
    source: the tests
    as_of: 2026-11-23
    verification: verified
"""
OPERATOR = """\
group: example-corp
operators:
  - id: example-corp
    name: Example Corp
    country: US
    source: the tests
    verification: verified
"""


@pytest.fixture
def store(tmp_path):
    opened = open_store(sqlite_url(tmp_path / "x.sqlite"))
    yield opened
    opened.close()


@pytest.fixture
def local(tmp_path, store):
    """The local catalogue of Ada, in the data directory of an installation."""

    class Local(LocalCatalogue):
        def write(self, kind, key, text):
            self.put(store, ADA, kind, key, text)

        def drop(self, kind, key):
            self.remove(store, ADA, kind, key)

    return Local(tmp_path / "catalogue")


@pytest.fixture
def judge(tmp_path):
    return Judge(Settings(data_dir=furnished(tmp_path), policy="fr-etat"))


def test_an_added_service_is_judged_at_the_next_look_and_gone_after_undo(local, judge):
    assert judge.check("a.meet.example")["service"] is None
    local.write(Kind.SERVICES, "meet-example", MEET)
    assert judge.refresh()
    answer = judge.check("a.meet.example")
    assert answer["service"]["id"] == "meet-example"
    assert answer["control"] == ["US"]
    assert answer["verdict"]["alternative"]["id"] == "visio"
    assert not judge.refresh()
    local.drop(Kind.SERVICES, "meet-example")
    assert judge.refresh()
    assert judge.check("a.meet.example")["service"] is None


def test_a_shipped_entry_can_be_said_otherwise_and_comes_back(local, judge):
    shipped = (SHIPPED / "services" / "zoom.yaml").read_text("utf-8")
    assert local.shipped(Kind.SERVICES, "zoom") == shipped
    local.write(Kind.SERVICES, "zoom", shipped.replace("name: Zoom\n", "name: Zoom (ours)\n"))
    assert [(item.id, item.replaces) for item in local.entries()] == [("zoom", True)]
    judge.refresh()
    assert judge.check("zoom.us")["service"]["name"] == "Zoom (ours)"
    assert (SHIPPED / "services" / "zoom.yaml").read_text("utf-8") == shipped
    local.drop(Kind.SERVICES, "zoom")
    judge.refresh()
    assert judge.check("zoom.us")["service"]["name"] == "Zoom"


def test_a_shipped_operator_is_cut_out_of_its_group(local, judge):
    text = local.shipped(Kind.OPERATORS, "microsoft-corporation")
    assert text.startswith(
        "group: microsoft-corporation\noperators:\n- id: microsoft-corporation\n"
    )
    local.write(Kind.OPERATORS, "microsoft-corporation", text.replace("country: US", "country: FR"))
    judge.refresh()
    assert judge.atlas.operators["microsoft-corporation"].country == "FR"


def test_what_a_catalogue_cannot_hold_is_refused_with_file_and_line(local):
    with pytest.raises(InvalidFile) as refused:
        local.write(Kind.SERVICES, "meet-example", MEET.replace("zoom-communications", "nobody"))
    [problem] = refused.value.problems
    assert problem.file == str(local.folder / "services" / "meet-example.yaml")
    assert (problem.line, problem.where) == (4, "operator")
    assert local.entries() == []


def test_more_than_nodes_can_be_told_is_refused(local, monkeypatch):
    local.write(Kind.SERVICES, "meet-example", MEET)
    monkeypatch.setattr(entries, "MAX_BYTES", len(MEET))
    with pytest.raises(InvalidFile, match="more than"):
        local.write(Kind.OPERATORS, "example-corp", OPERATOR)
    assert [entry.id for entry in local.entries()] == ["meet-example"]


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("meet-example", "", "is empty"),
        ("meet-example", MEET.replace("meet.example", "zoom.us"), "listed twice"),
        ("meet-example", MEET + "surprise: 1\n", "not a key"),
        ("meet-example", MEET + "x: &a 1\n", "anchors"),
        ("other", MEET, "make them the same"),
        ("../../evil", MEET, "is no id"),
        ("meet-example", "#" * (MAX_TEXT + 1), "longer than"),
        ("meet-example", "\x00", "YAML"),
    ],
)
def test_a_bad_entry_changes_nothing(local, tmp_path, key, text, said):
    with pytest.raises(InvalidFile, match=said):
        local.write(Kind.SERVICES, key, text)
    assert not list(tmp_path.rglob("*.yaml"))


def test_what_others_need_cannot_be_taken_away(local):
    local.write(Kind.OPERATORS, "example-corp", OPERATOR)
    text = MEET.replace("zoom-communications", "example-corp")
    local.write(Kind.SERVICES, "meet-example", text)
    with pytest.raises(InvalidFile, match="there is no operator `example-corp`"):
        local.drop(Kind.OPERATORS, "example-corp")
    assert [item.id for item in local.entries()] == ["meet-example", "example-corp"]
    with pytest.raises(NoSuchEntry):
        local.drop(Kind.SERVICES, "nothing")


def test_every_change_is_in_the_audit_with_before_and_after(local, store):
    local.write(Kind.SERVICES, "meet-example", MEET)
    later = MEET.replace("Meet Example", "Meet")
    local.write(Kind.SERVICES, "meet-example", later)
    local.drop(Kind.SERVICES, "meet-example")
    found = [from_json(row.details) for row in audit.list_entries(store, 10)]
    assert [(item["before"], item["after"]) for item in found] == [
        (later, ""),
        (MEET, later),
        ("", MEET),
    ]


def test_a_file_broken_by_hand_leaves_the_last_good_catalogue_in_use(local, judge, caplog):
    local.write(Kind.SERVICES, "meet-example", MEET)
    judge.refresh()
    path = local.folder / "services" / "meet-example.yaml"
    path.write_text("id: [", "utf-8")
    assert not judge.refresh()
    assert "the last good one stays in use" in caplog.text
    assert judge.check("a.meet.example")["service"]["id"] == "meet-example"
    caplog.clear()
    judge.refresh()
    assert not caplog.text
    path.write_text(MEET, "utf-8")
    assert judge.refresh()


def test_of_two_who_take_the_same_host_at_once_one_is_refused(local):
    answers = []

    def write(key):
        try:
            local.write(Kind.SERVICES, key, MEET.replace("id: meet-example", f"id: {key}"))
            answers.append("saved")
        except InvalidFile:
            answers.append("refused")

    threads = [threading.Thread(target=write, args=(key,)) for key in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["refused", "saved"]


def test_a_look_at_an_unchanged_folder_reads_nothing(local, judge, monkeypatch):
    local.write(Kind.SERVICES, "meet-example", MEET)
    judge.refresh()
    monkeypatch.setattr("sovproxy.atlas.follow.load_atlas", lambda _folders: 1 / 0)
    assert not judge.refresh()
