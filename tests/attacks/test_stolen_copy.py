"""What a stolen copy of the store tells, and who on the machine can read what sovproxy writes."""

from __future__ import annotations

import base64
import re
import stat
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import MetaData, select

from sovproxy.events.event import new_id
from sovproxy.events.pseudonym import Pseudonyms
from sovproxy.settings import Settings
from sovproxy.usecases.access import accounts
from sovproxy.usecases.access.own_account import begin_second_factor, enrol_second_factor
from sovproxy.usecases.access.sessions import find_session, open_session
from sovproxy.usecases.access.tokens import Role
from sovproxy.usecases.access.workers import mint
from tests.console.conftest import Site, an_event
from tests.lab.proxies import wait_until

PASSWORD = "sieve lantern forty orchard"  # of an account that lives for one test
ADDRESS, NAME = "10.77.88.99", "worker-laptop-4711"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@pytest.fixture
def lived_in(tmp_path):
    """A site on which everything that has a secret was used, with those secrets by name."""
    site = Site(Settings(data_dir=tmp_path / "made" / "here", policy="fr-etat", node="proxy-1"))
    try:
        yield site, use(site)
    finally:
        site.stop()


def use(site) -> dict[str, str]:
    services, now = site.services, datetime.now(UTC)
    secrets = {f"token of {role}": site.token(role) for role in Role}
    code = accounts.first_link(services.store, now)
    secrets["one-time link"] = code
    admin = accounts.use_first_link(
        services.store, code, now, login="ada", name="Ada", password=PASSWORD
    )
    secrets["password"] = PASSWORD
    secret, _ = begin_second_factor(services.store, admin)
    secrets["second factor"] = secret
    totp = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # noqa: S303  # what apps read
    code = totp.generate(int(now.timestamp())).decode()
    given = {"password": PASSWORD, "secret": secret, "code": code, "keep_session": ""}
    for index, one in enumerate(enrol_second_factor(services.store, admin, now, **given)):
        secrets[f"recovery code {index}"] = one
    secrets["ID token"] = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
    cookie, begun = open_session(services.store, admin, now, id_token=secrets["ID token"])
    assert begun.id_token == find_session(services.store, cookie, now).id_token
    secrets["its cookie"] = cookie
    secrets |= be_a_session(site)
    secrets |= be_a_worker(site, now)
    services.bundles.current()
    return {name: value for name, value in secrets.items() if value}


def be_a_session(site) -> dict[str, str]:
    client = site.client(Role.ADMIN)
    found = {f"cookie {cookie.path}": cookie.value for cookie in client.cookies.jar}
    found["CSRF token"] = CSRF.search(client.get("/console/policy/edit").text)[1]
    client.post("/console/sign-in", data={"login": "ada", "password": "correct horse wrong"})
    client.close()
    return found | {"a wrong password": "correct horse wrong"}


def be_a_worker(site, now) -> dict[str, str]:
    """Somebody whose address and name only the node has seen."""
    pseudonym = site.services.pseudonyms.of(ADDRESS)
    site.deliver([an_event(now - timedelta(minutes=1), client=pseudonym)])
    token, _ = mint(site.services.workers.hand_out(now), pseudonym, "finance", [], now)
    with httpx.Client(base_url=site.url, trust_env=False) as worker:
        worker.headers["authorization"] = f"Bearer {token}"
        until = (now + timedelta(hours=3)).isoformat()
        body = {"service": "zoom", "reason": "They invite us", "until": until, "id": str(new_id())}
        assert worker.post("/api/v1/exceptions", json=body).status_code in {201, 422}
        assert worker.get("/api/v1/my").status_code == 200
    return {"worker's token": token, "address": ADDRESS, "name": NAME}


def every_value(store) -> str:
    """All values of all tables, as text."""
    texts = []
    with store.reading() as connection:
        found = MetaData()
        found.reflect(connection)
        assert len(found.tables) > 20
        for table in found.tables.values():
            for row in connection.execute(select(table)):
                texts += [
                    value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(texts)


def test_a_copy_of_the_store_holds_no_secret_that_opens_anything(lived_in):
    site, secrets = lived_in
    assert len(secrets) > 20
    values = every_value(site.services.store)
    assert "Ada" in values
    for name, secret in secrets.items():
        parts = {secret}
        if name.startswith("token"):
            parts.add(secret.split("_", 2)[2])  # behind its public id; it may hold a `_` itself
        assert min(map(len, parts)) > 5, name
        assert not [part for part in parts if part in values], name


def test_the_file_itself_holds_none_either(lived_in):
    """Freed pages and the write-ahead log, too."""
    site, secrets = lived_in
    folder = site.services.ca_file.parent
    raw = b"".join(path.read_bytes() for path in folder.parent.rglob("*.sqlite*"))
    assert b"Ada" in raw
    assert [name for name, secret in secrets.items() if secret.encode() in raw] == []


def test_a_pseudonym_tells_nothing_without_the_key(lived_in, tmp_path):
    """Nobody with the store alone can try addresses: another key gives another pseudonym."""
    site, _ = lived_in
    known = site.services.pseudonyms.of(ADDRESS)
    assert known in every_value(site.services.store)
    guesses = {Pseudonyms(tmp_path / f"guess-{number}").of(ADDRESS) for number in range(20)}
    assert known not in guesses
    assert known == site.services.pseudonyms.of(ADDRESS)


def test_nobody_else_on_the_machine_may_read_what_is_written(lived_in, tmp_path):
    made = tmp_path / "made" / "here"
    wait_until(lambda: any(made.rglob("*.sqlite")), "the store is written")
    paths = [made, *made.rglob("*")]
    assert len(paths) > 5
    modes = {str(path.relative_to(made)): path.lstat().st_mode for path in paths}
    odd = {name: oct(mode) for name, mode in modes.items() if stat.S_IMODE(mode) & 0o077}
    public = {name for name in odd if name.startswith("databases/")}  # anybody can download them
    assert public == set(odd)
    assert all(stat.S_ISREG(mode) or stat.S_ISDIR(mode) for mode in modes.values())
