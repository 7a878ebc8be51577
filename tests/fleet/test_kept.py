"""The last good state: parts are added, time ends what it ends, a bad file is no state."""

from __future__ import annotations

import stat

import pytest

from sovproxy.decide.exceptions import Grant, Scope
from sovproxy.fleet import kept
from sovproxy.fleet.kept import Known, load_known, save_known
from sovproxy.fleet.messages import Acknowledged, Common, InForce, State

ME, YOU = "2026-11.aaaabbbbccccdddd", "2026-11.ddddccccbbbbaaaa"
HEAD = "9f86d081884c7d65"
GRANT = Grant(
    id="01a20692-8621-70d7-a99f-dbc898c77802",
    number=12,
    until=2_000_000_000.5,
    host="zoom.us",
    below=True,
    scope=Scope.GROUP,
    group="legal",
    start=1_800_000_000.25,
)


def went_on(client=ME, subject="slack", until=1000.0) -> Acknowledged:
    return Acknowledged(client=client, subject=subject, until=until)


def state(number: int, since: int = 0, *items: Acknowledged, common: Common | None = None) -> State:
    return State(
        version=f"{HEAD}.{number}", common=common, since=since, acknowledgements=list(items)
    )


def test_an_exception_is_the_same_on_both_sides():
    assert InForce.model_validate_json(InForce.of(GRANT).model_dump_json()).grant() == GRANT


def test_a_whole_state_replaces_and_a_part_adds():
    common = Common(exceptions=[InForce.of(GRANT)])
    known = Known().after(state(1, 0, went_on(), common=common), now=1)
    assert known.common is common
    known = known.after(state(2, 1, went_on(YOU)), now=1)
    assert known.until == {(ME, "slack"): 1000.0, (YOU, "slack"): 1000.0}
    assert known.common is common
    assert known.version == f"{HEAD}.2"
    known = known.after(state(3, 0, went_on(YOU)), now=1)
    assert known.until == {(YOU, "slack"): 1000.0}


def test_what_is_over_is_left_out():
    known = Known().after(state(1, 0, went_on(until=10.0), went_on(YOU)), now=10)
    assert list(known.until) == [(YOU, "slack")]


def test_what_is_kept_is_bounded_and_what_ends_last_stays(monkeypatch):
    monkeypatch.setattr(kept, "MAX_KEPT", 2)
    items = [went_on(subject=f"s{number}", until=100.0 + number) for number in range(4)]
    known = Known().after(state(4, 0, *items), now=1)
    assert {subject for _, subject in known.until} == {"s2", "s3"}


def test_it_survives_a_restart_for_its_owner_only(tmp_path):
    path = tmp_path / "node" / "state.json"
    known = Known().after(
        state(1, 0, went_on(), common=Common(exceptions=[InForce.of(GRANT)])), now=1
    )
    save_known(path, known)
    assert load_known(path) == known
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\0", b'{"version": 1}'])
def test_a_file_that_cannot_be_understood_is_no_state(tmp_path, content):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert load_known(path) == Known()


@pytest.mark.parametrize(
    "change",
    [
        {"version": "x"},
        {"since": -1},
        {"more": 1},
        {"common": {"pseudonym_keys": {"2026-13": "A" * 44}}},
        {"common": {"pseudonym_keys": {"2026-11": "AAAA"}}},
        {"common": {"exceptions": [{"id": "x"}]}},
        {"common": {"policy": {"number": 1, "text": "x" * 300_000, "digest": "0" * 12}}},
        {"acknowledgements": [{"client": "10.0.0.7", "subject": "x", "until": 1}]},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_state_that_does_not_fit_is_refused_whole(change):
    with pytest.raises(ValueError, match="validation error"):
        State.model_validate(state(1, common=Common()).model_dump() | change)
