"""A worker's token says who they are for an hour, and nobody but the API's nodes can make one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import (
    ALGORITHM,
    LIFETIME,
    MAX_FORMER,
    MAX_TOKEN,
    TYPE,
    WorkerKeys,
    mint,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ME, BEFORE = "2026-11.aaaabbbbccccdddd", "2026-10.ddddccccbbbbaaaa"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(tmp_path, clock):
    return WorkerKeys(tmp_path / "fleet" / "worker-key", clock)


def token_of(keys, now=NOW, client=ME, group="legal", former=(BEFORE, ME)):
    made = mint(keys.hand_out(now), client, group, former, now)
    assert made
    return made[0]


def signed(keys, month="2026-11", typ=TYPE, alg=ALGORITHM, **claims):
    """A token with the right key and other contents."""
    at = int(NOW.timestamp())
    usual = {"sub": ME, "group": "", "former": [], "iat": at, "exp": at + 3600}
    header = {"alg": alg, "typ": typ, "kid": month}
    key = OctKey.import_key(keys.hand_out(NOW)["2026-11"])
    return jwt.encode(header, usual | claims, key, algorithms=[alg])


def test_a_token_names_the_worker_to_the_api(keys):
    found = keys.principal(token_of(keys), NOW)
    assert found
    assert (found.role, found.client, found.group) == (Role.WORKER, ME, "legal")
    assert found.clients == (ME, BEFORE)


def test_a_token_is_good_for_an_hour(keys):
    token = token_of(keys)
    assert keys.principal(token, NOW + LIFETIME - timedelta(seconds=1))
    assert not keys.principal(token, NOW + LIFETIME)
    assert not keys.principal(token, NOW - timedelta(minutes=3))


def test_the_key_is_in_a_file_of_its_own_that_others_cannot_read(keys, tmp_path, clock):
    token = token_of(keys)
    file = tmp_path / "fleet" / "worker-key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert WorkerKeys(file, clock).principal(token, NOW)


def test_another_installations_token_is_refused(keys, tmp_path, clock):
    other = WorkerKeys(tmp_path / "other" / "worker-key", clock)
    assert not other.principal(token_of(keys), NOW)


def test_the_key_changes_with_the_month_and_tokens_live_on(keys, clock):
    late = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    token = token_of(keys, late)
    clock.now = datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
    assert keys.principal(token, clock.now)
    assert keys.hand_out(clock.now)["2026-12"] != keys.hand_out(clock.now)["2026-11"]
    clock.now = datetime(2026, 12, 3, tzinfo=UTC)
    assert sorted(keys.hand_out(clock.now)) == ["2026-12", "2027-01"]


def test_a_key_of_another_time_signs_nothing(keys, clock):
    """Neither one that leaked long ago, nor the one that is handed out ahead."""
    ahead = keys.hand_out(NOW)["2026-12"]
    at = int(NOW.timestamp())
    claims = {"sub": ME, "group": "", "former": [], "iat": at, "exp": at + 3600}
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": "2026-12"}
    assert not keys.principal(jwt.encode(header, claims, OctKey.import_key(ahead)), NOW)


def test_a_node_without_a_key_makes_no_token():
    assert mint({}, ME, "", (), NOW) is None
    assert mint({"2026-10": b"x" * 32}, ME, "", (), NOW) is None


def test_only_the_latest_former_pseudonyms_are_named(keys):
    many = [f"{year}-11.aaaabbbbccccdddd" for year in range(2000, 2026)]
    found = keys.principal(token_of(keys, former=many), NOW)
    assert found
    assert len(found.former) == MAX_FORMER
    assert found.former[-1].startswith("2025")


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ""},
        {"sub": "me"},
        {"sub": 3},
        {"exp": int(NOW.timestamp()) + 7200},
        {"exp": "soon"},
        {"iat": int(NOW.timestamp()) + 1000, "exp": int(NOW.timestamp()) + 2000},
        {"former": "all"},
        {"former": [ME] * (MAX_FORMER + 1)},
        {"role": "admin"},
        {"typ": "sovproxy-bundle+jws"},
        {"month": "2026-10"},
        {"month": "../worker-key"},
    ],
    ids=str,
)
def test_what_is_signed_well_and_says_something_else_is_refused(keys, claims):
    assert keys.principal(signed(keys), NOW)
    assert not keys.principal(signed(keys, **claims), NOW)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _token: "",
        lambda _token: "..",
        lambda _token: "a.b.c",
        lambda token: token[:-4] + "AAAA",
        lambda token: token + "x" * MAX_TOKEN,
        lambda token: "eyJhbGciOiJub25lIn0." + token.split(".")[1] + ".",
        lambda token: token.replace(token.split(".")[0], "é"),
        lambda token: token.split(".")[0] + ".e30." + token.split(".")[2],
    ],
    ids=["empty", "dots", "letters", "forged", "long", "unsigned", "not ascii", "other claims"],
)
def test_what_is_no_token_of_ours_is_refused(keys, spoil):
    assert not keys.principal(spoil(token_of(keys)), NOW)


def test_processes_that_begin_together_have_one_key(tmp_path, clock):
    found = []

    def begin():
        found.append(WorkerKeys(tmp_path / "worker-key", clock).hand_out(NOW)["2026-11"])

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
