"""Accounts: links instead of set passwords, one admin always left, nothing told to guessers."""

from __future__ import annotations

import base64
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from sovproxy.store.database import open_store, sqlite_url
from sovproxy.usecases.access import accounts, passwords
from sovproxy.usecases.access.accounts import AccountProblem, LinkUsedUp
from sovproxy.usecases.access.auditing import audit_page
from sovproxy.usecases.access.own_account import (
    BadSignIn,
    WrongCode,
    WrongPassword,
    begin_second_factor,
    change_password,
    enrol_second_factor,
    remove_second_factor,
    sign_in,
)
from sovproxy.usecases.access.passwords import WeakPassword, require_good
from sovproxy.usecases.access.sessions import find_session, open_session
from sovproxy.usecases.access.tokens import Role, command_line

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
GOOD, BETTER = "quatre mots sans rapport", "un chameau lit le journal"
SHELL = command_line("root")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path):
    opened = open_store(sqlite_url(path))
    yield opened
    opened.close()


@pytest.fixture
def admin(store):
    code = accounts.first_link(store, NOW)
    return accounts.use_first_link(store, code, NOW, login="ada", name="Ada", password=GOOD)


def make(store, by, login="bob", role=Role.ANALYST, password=GOOD):
    facts, code = accounts.create_account(store, by, NOW, login=login, name=login, role=role)
    accounts.use_link(store, code, password, NOW)
    return facts


def whats(store):
    return [entry.what.value for entry in audit_page(store, 100).items]


def test_the_first_link_makes_one_admin_and_works_once(store, admin):
    assert admin.role is Role.ADMIN
    assert sign_in(store, "ADA", GOOD, "", NOW) == admin
    assert accounts.first_link(store, NOW) is None
    assert whats(store) == ["account_create"]


def test_a_new_start_ends_the_link_of_the_start_before(store):
    first, second = accounts.first_link(store, NOW), accounts.first_link(store, NOW)
    with pytest.raises(LinkUsedUp):
        accounts.find_link(store, first, NOW)
    assert accounts.find_link(store, second, NOW).account is None


@pytest.mark.parametrize("hours", [24, 25])
def test_links_work_for_24_hours(store, hours):
    code = accounts.first_link(store, NOW)
    accounts.find_link(store, code, NOW + timedelta(hours=23, minutes=59))
    with pytest.raises(LinkUsedUp):
        accounts.find_link(store, code, NOW + timedelta(hours=hours))


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "é" * 43, "'; DROP TABLE account;--"])
def test_a_made_up_link_opens_nothing(store, code):
    with pytest.raises(LinkUsedUp):
        accounts.use_first_link(store, code, NOW, login="eve", name="Eve", password=GOOD)


def test_only_hashes_of_links_and_passwords_are_stored(store, admin, path):
    _, code = accounts.create_account(store, admin, NOW, login="bob", name="Bob", role=Role.ANALYST)
    store.close()
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert code.encode() not in content
    assert GOOD.encode() not in content
    assert b"$argon2id$v=19$m=65536,t=3,p=4$" in content


def test_two_who_use_the_first_link_at_once_make_one_admin(store):
    code, made = accounts.first_link(store, NOW), []

    def use(login):
        with suppress(AccountProblem):
            made.append(
                accounts.use_first_link(store, code, NOW, login=login, name=login, password=GOOD)
            )

    threads = [threading.Thread(target=use, args=(f"admin-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(accounts.list_accounts(store)) == 1


def test_an_account_comes_with_a_link_and_its_owner_sets_the_password(store, admin):
    facts, code = accounts.create_account(
        store, admin, NOW, login="Bob", name="Bob", role=Role.AUDITOR
    )
    assert (facts.login, facts.way) == ("bob", "link")
    with pytest.raises(BadSignIn):
        sign_in(store, "bob", "", "", NOW)
    bob = accounts.use_link(store, code, GOOD, NOW)
    assert (bob.role, bob.is_account) == (Role.AUDITOR, True)
    with pytest.raises(LinkUsedUp):
        accounts.use_link(store, code, BETTER, NOW)
    assert sign_in(store, "bob", GOOD, "", NOW) == bob


def test_a_new_link_leaves_the_password_until_it_is_used_and_then_ends_sessions(store, admin):
    bob = make(store, admin)
    code = accounts.issue_link(store, admin, bob.id, NOW)
    principal = sign_in(store, "bob", GOOD, "", NOW)
    secret, _ = open_session(store, principal, NOW)
    accounts.use_link(store, code, BETTER, NOW)
    assert find_session(store, secret, NOW) is None
    with pytest.raises(BadSignIn):
        sign_in(store, "bob", GOOD, "", NOW)


@pytest.mark.parametrize(
    ("login", "password"),
    [("ada", "wrong password here"), ("nobody", GOOD), ("", ""), ("ada", ""), ("ada", "x" * 5000),
     ("ada\0", GOOD), ("' OR 1=1 --", GOOD)],
)  # fmt: skip
def test_nothing_tells_what_was_wrong(store, admin, login, password):
    with pytest.raises(BadSignIn, match=r"^Login name, password or code is wrong\.$"):
        sign_in(store, login, password, "", NOW)


def test_an_unknown_account_costs_as_much_work_as_a_known_one(store, admin, monkeypatch):
    seen, hasher = [], passwords._hasher

    class Watched:
        def verify(self, stored, password):
            seen.append(stored)
            return hasher.verify(stored, password)

    monkeypatch.setattr(passwords, "_hasher", Watched())
    for login in ("ada", "nobody"):
        with pytest.raises(BadSignIn):
            sign_in(store, login, "some wrong password", "", NOW)
    assert [text.rsplit("$", 2)[0] for text in seen] == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2


def test_a_hash_of_older_parameters_is_made_anew_at_sign_in(store, admin, monkeypatch):
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    accounts.rows.update_account(store, admin.token_id, {"password": weak}, None)
    sign_in(store, "ada", GOOD, "", NOW)
    row = accounts.row_of(store, admin.token_id)
    assert row.password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    sign_in(store, "ada", GOOD, "", NOW)


@pytest.mark.parametrize("spelling", ["Éléphant violet à vélo", "Ele\u0301phant violet"])
def test_any_spelling_of_the_same_characters_signs_in(store, admin, spelling):
    change_password(store, admin, NOW, old=GOOD, new="É" + spelling[1:], keep_session="")
    decomposed = passwords.unicodedata.normalize("NFD", "É" + spelling[1:])
    assert sign_in(store, "ada", decomposed, "", NOW) == admin


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "password1234", "motdepasse2026", "azertyuiop12", "a" * 15,
     "123456789012", "Préfecture2026!", "administrateur1", "Sommer2026Berlin", "ada ada ada ada",
     "x" * 129],
)  # fmt: skip
def test_passwords_that_would_be_guessed_are_refused(password):
    with pytest.raises(WeakPassword):
        require_good(password, ("ada",))


@pytest.mark.parametrize(
    "password",
    [GOOD, BETTER, "correct horse battery staple", "x7#kQ2mPz!vW", "日本語の長い秘密の言葉です"],
)
def test_no_kind_of_character_is_asked_for(password):
    require_good(password, ("ada",))


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(store, admin):
    with pytest.raises(WrongPassword):
        change_password(store, admin, NOW, old="wrong", new=BETTER, keep_session="")
    with pytest.raises(WeakPassword):
        change_password(store, admin, NOW, old=GOOD, new="password1234", keep_session="")
    mine, _ = open_session(store, admin, NOW)
    other, _ = open_session(store, admin, NOW)
    keep = accounts.hashlib.sha256(mine.encode()).hexdigest()
    change_password(store, admin, NOW, old=GOOD, new=BETTER, keep_session=keep)
    assert find_session(store, mine, NOW) is not None
    assert find_session(store, other, NOW) is None
    assert sign_in(store, "ada", BETTER, "", NOW) == admin


def test_a_one_time_link_does_not_outlive_a_change_of_the_password(store, admin):
    """Who holds an old link could set the password anew."""
    code = accounts.issue_link(store, admin, admin.token_id, NOW)
    change_password(store, admin, NOW, old=GOOD, new=BETTER, keep_session="")
    with pytest.raises(accounts.LinkUsedUp):
        accounts.find_link(store, code, NOW)


@pytest.mark.parametrize("change", ["role", "disable", "delete"])
def test_the_last_admin_stays(store, admin, change):
    def attempt(account_id):
        if change == "role":
            accounts.change_role(store, admin, account_id, Role.ANALYST, NOW)
        elif change == "disable":
            accounts.set_disabled(store, admin, account_id, NOW, disabled=True)
        else:
            accounts.delete_account(store, admin, account_id, NOW)

    accounts.create_account(store, admin, NOW, login="bob", name="Bob", role=Role.ADMIN)
    with pytest.raises(AccountProblem, match="last admin"):
        attempt(admin.token_id)  # bob has not used the link: he cannot sign in
    assert sign_in(store, "ada", GOOD, "", NOW) == admin
    assert "account_" + {"role": "role", "disable": "disable", "delete": "delete"}[
        change
    ] not in whats(store)
    make(store, admin, "eve", Role.ADMIN)
    attempt(admin.token_id)
    with pytest.raises((BadSignIn, AssertionError)):
        assert sign_in(store, "ada", GOOD, "", NOW).role is Role.ADMIN


@pytest.mark.parametrize("change", ["role", "disable", "delete"])
def test_a_change_by_an_admin_ends_the_sessions(store, admin, change):
    bob = make(store, admin)
    secret, _ = open_session(store, sign_in(store, "bob", GOOD, "", NOW), NOW)
    if change == "role":
        accounts.change_role(store, admin, bob.id, Role.AUDITOR, NOW)
    elif change == "disable":
        accounts.set_disabled(store, admin, bob.id, NOW, disabled=True)
        with pytest.raises(BadSignIn):
            sign_in(store, "bob", GOOD, "", NOW)
    else:
        accounts.delete_account(store, admin, bob.id, NOW)
    assert find_session(store, secret, NOW) is None


@pytest.mark.parametrize("login", ["", "-a", "a b", "é", "a" * 65, "a\nb", "<b>", "A/../b"])
def test_login_names_are_plain(store, login):
    with pytest.raises(AccountProblem, match="login name"):
        accounts.create_account(store, SHELL, NOW, login=login, name="x", role=Role.ANALYST)


def test_a_login_name_is_taken_once(store, admin):
    with pytest.raises(AccountProblem, match="taken"):
        accounts.create_account(store, admin, NOW, login="ADA", name="x", role=Role.ANALYST)
    assert whats(store) == ["account_create"]


@pytest.mark.parametrize("role", [Role.NODE, Role.WORKER])
def test_nodes_and_workers_have_no_accounts(store, role):
    with pytest.raises(AccountProblem):
        accounts.create_account(store, SHELL, NOW, login="x", name="x", role=role)


def code_at(secret, when):
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(when.timestamp())).decode()  # noqa: S303


def enrolled(store, admin):
    secret, uri = begin_second_factor(store, admin)
    assert uri.startswith("otpauth://totp/")
    codes = enrol_second_factor(
        store, admin, NOW, secret=secret, code=code_at(secret, NOW), password=GOOD, keep_session=""
    )
    return secret, codes


def test_with_a_second_factor_the_password_alone_opens_nothing(store, admin):
    secret, _ = enrolled(store, admin)
    later = NOW + timedelta(minutes=2)
    for code in ("", "000000", code_at(secret, NOW), "x" * 500):
        with pytest.raises(BadSignIn):
            sign_in(store, "ada", GOOD, code, later)
    assert sign_in(store, "ada", GOOD, code_at(secret, later), later) == admin


def test_a_code_of_the_second_factor_is_good_once(store, admin):
    secret, _ = enrolled(store, admin)
    later = NOW + timedelta(minutes=2)
    code = code_at(secret, later)
    sign_in(store, "ada", GOOD, code, later)
    with pytest.raises(BadSignIn):
        sign_in(store, "ada", GOOD, code, later)


def test_recovery_codes_are_good_once_each(store, admin):
    _, codes = enrolled(store, admin)
    assert len(set(codes)) == 10
    sign_in(store, "ada", GOOD, codes[3].upper().replace("-", " "), NOW)
    with pytest.raises(BadSignIn):
        sign_in(store, "ada", GOOD, codes[3], NOW)
    sign_in(store, "ada", GOOD, codes[4], NOW)


def test_the_second_factor_goes_with_password_and_code_or_by_an_admin(store, admin):
    secret, _ = enrolled(store, admin)
    later = NOW + timedelta(minutes=2)
    with pytest.raises(WrongCode):
        remove_second_factor(store, admin, later, password=GOOD, code="123456", keep_session="")
    code = code_at(secret, later)
    remove_second_factor(store, admin, later, password=GOOD, code=code, keep_session="")
    assert sign_in(store, "ada", GOOD, "", later) == admin
    enrolled(store, admin)
    accounts.drop_second_factor(store, SHELL, admin.token_id, NOW)
    assert sign_in(store, "ada", GOOD, "", NOW) == admin


def test_enrolling_needs_a_code_of_the_app(store, admin):
    secret, _ = begin_second_factor(store, admin)
    for wrong in (secret, "A" * 32, "not base32", ""):
        with pytest.raises(WrongCode):
            enrol_second_factor(
                store, admin, NOW, secret=wrong, code="000000", password=GOOD, keep_session=""
            )
