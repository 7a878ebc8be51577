"""A second factor that is on is replaced only by who can turn it off."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.accounts import AccountProblem
from sovproxy.usecases.access.own_account import begin_second_factor, enrol_second_factor, sign_in

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
GOOD = "quatre mots sans rapport"


@pytest.fixture
def store(tmp_path):
    opened = open_store(sqlite_url(tmp_path / "store.sqlite"))
    yield opened
    opened.close()


def code_at(secret, when):
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(when.timestamp())).decode()  # noqa: S303


def enrol(store, who, secret, when):
    code = code_at(secret, when)
    return enrol_second_factor(
        store, who, when, secret=secret, code=code, password=GOOD, keep_session=""
    )


def test_an_open_session_and_the_password_do_not_replace_a_second_factor(store):
    link = accounts.first_link(store, NOW)
    ada = accounts.use_first_link(store, link, NOW, login="ada", name="Ada", password=GOOD)
    secret, _ = begin_second_factor(store, ada)
    enrol(store, ada, secret, NOW)
    of_a_thief = "A" * 32
    with pytest.raises(AccountProblem, match="Turn it off"):
        enrol(store, ada, of_a_thief, LATER)
    with pytest.raises(AccountProblem, match="Turn it off"):
        begin_second_factor(store, ada)
    assert sign_in(store, "ada", GOOD, code_at(secret, LATER), LATER) == ada
