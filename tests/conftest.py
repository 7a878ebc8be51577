"""What holds for every test, and a real PostgreSQL for those that ask for one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import settings

from sovproxy.store.database import open_store, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sovproxy.store.database import Store

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")  # how long an example takes says nothing about the code

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))


def _program(name: str) -> str:
    """A program of PostgreSQL: Debian keeps them out of PATH."""
    found = shutil.which(name, path=str(_BINARIES[-1]) if _BINARIES else None)
    assert found, f"{name} is missing: run tools/install-test-tools"
    return found


class Postgres:
    """A cluster of its own in a temporary folder, reached by a socket in it.

    It does not wait for the disk; so it survives the death of its processes, not a power cut.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sov-pg-", dir="/tmp"))
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:  # initdb refuses root
            user = next(pwd.getpwnam(name) for name in ("postgres", "nobody") if _exists(name))
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        command = [_program("initdb"), "-D", str(self.folder / "data"), "-U", "sovproxy"]
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self._call([*command, *options])
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        self._template = ""
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers; after a kill its children take a moment to go."""
        quick = ("fsync=off", "full_page_writes=off", "max_connections=100")
        own = (f"unix_socket_directories={self.folder}", "listen_addresses=", "shared_buffers=64MB")
        command = [_program("postgres"), "-D", str(self.folder / "data")]
        for item in (*quick, *own):
            command += ["-c", item]
        deadline = time.monotonic() + 60
        with (self.folder / "log").open("ab") as log:
            while True:
                if self._process is None or self._process.poll() is not None:
                    self._process = subprocess.Popen(
                        command, stdout=log, stderr=log, cwd="/", **self._as
                    )
                try:
                    psycopg.connect(self.url("postgres", "postgresql")).close()
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, (self.folder / "log").read_text()
                    time.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        """End it as a crash does."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it at once, and leave nothing behind."""
        self._signal(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://sovproxy@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def empty_database(self) -> str:
        """The URL of a new database without tables."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def store_database(self) -> str:
        """The URL of a new database with an empty store: a copy, which is made sooner."""
        if not self._template:
            self._template = "template_store"
            self.run(f"CREATE DATABASE {self._template}")
            open_store(self.url(self._template)).close()
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self.url(name)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait()

    def _call(self, command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, cwd="/", check=False, **self._as)
        assert done.returncode == 0, done.stderr.decode()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One real PostgreSQL for this session (of each worker)."""
    cluster = Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A real PostgreSQL for one test, which may kill it."""
    cluster = Postgres()
    yield cluster
    cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return str(request.param)


@pytest.fixture
def store_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store on each database in turn."""
    if dialect == "sqlite":
        return sqlite_url(tmp_path / "data" / "store.sqlite")
    cluster: Postgres = request.getfixturevalue("postgres")
    return cluster.store_database()


@pytest.fixture
def any_store(store_url: str) -> Iterator[Store]:
    """An open, empty store on each database in turn."""
    found = open_store(store_url)
    yield found
    found.close()
