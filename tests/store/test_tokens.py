from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import pytest

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access.tokens import (
    InvalidToken,
    Role,
    authenticate,
    create_token,
    ensure_node_token,
    list_tokens,
    read_token,
    revoke_token,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path):
    opened = open_store(sqlite_url(path))
    yield opened
    opened.close()


def test_a_token_tells_name_and_role_until_it_expires(store):
    token = create_token(store, Role.ANALYST, "Ada", days=2, now=NOW)
    principal = authenticate(store, token, NOW + timedelta(days=1))
    assert principal is not None
    assert (principal.name, principal.role) == ("Ada", Role.ANALYST)
    assert authenticate(store, token, NOW + timedelta(days=2)) is None


def test_the_secret_is_not_in_the_database(store, path):
    token = create_token(store, Role.ADMIN, "Ada")
    secret = token.rpartition("_")[2] if len(token.rpartition("_")[2]) == 43 else token[-43:]
    store.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert secret.encode() not in content
    assert token.split("_")[1].encode() in content


def test_tokens_are_long_and_never_alike(store):
    tokens = {create_token(store, Role.NODE, "n") for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token) == len("sov_") + 16 + 1 + 43 for token in tokens)


@pytest.mark.parametrize("token", ["", "sov_", "x" * 10_000, "sov_" + "0" * 16 + "_" + "A" * 43])
def test_what_is_no_token_of_ours_is_nobody(store, token):
    assert authenticate(store, token) is None


def test_a_revoked_token_is_nobody_and_stays_listed(store):
    token = create_token(store, Role.NODE, "n")
    [facts] = list_tokens(store)
    revoke_token(store, facts.id)
    assert authenticate(store, token) is None
    assert [item.state for item in list_tokens(store)] == ["revoked"]
    with pytest.raises(InvalidToken, match="no token in force"):
        revoke_token(store, facts.id)


@pytest.mark.parametrize(
    ("name", "days"), [("", 1), ("x" * 65, 1), ("a\x1b", 1), ("a", 0), ("a", 3651)]
)
def test_a_bad_name_or_lifetime_is_refused(store, name, days):
    with pytest.raises(InvalidToken, match="wanted"):
        create_token(store, Role.NODE, name, days)


def test_the_nodes_token_is_private_and_kept_while_it_works(store, tmp_path):
    file = tmp_path / "node" / "token"
    ensure_node_token(store, file, "proxy-1")
    first = read_token(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    principal = authenticate(store, first)
    assert principal is not None
    assert (principal.role, principal.name) == (Role.NODE, "proxy-1")
    ensure_node_token(store, file, "proxy-1")
    assert read_token(file) == first


@pytest.mark.parametrize("content", ["", "garbage", "\xff\xfe", "sov_" + "0" * 16 + "_" + "A" * 43])
def test_a_node_token_that_does_not_work_is_replaced(store, tmp_path, content):
    file = tmp_path / "token"
    file.write_bytes(content.encode("latin-1"))
    ensure_node_token(store, file, "n")
    assert authenticate(store, read_token(file)) is not None


def test_a_node_token_is_renewed_before_it_expires(store, tmp_path):
    file = tmp_path / "token"
    ensure_node_token(store, file, "n", NOW)
    first = read_token(file)
    ensure_node_token(store, file, "n", NOW + timedelta(days=270))
    assert read_token(file) == first
    ensure_node_token(store, file, "n", NOW + timedelta(days=280))
    assert read_token(file) != first


def test_an_admins_token_is_not_taken_for_the_nodes(store, tmp_path):
    file = tmp_path / "token"
    file.write_text(create_token(store, Role.ADMIN, "a"))
    ensure_node_token(store, file, "n")
    principal = authenticate(store, read_token(file))
    assert principal is not None
    assert principal.role is Role.NODE
