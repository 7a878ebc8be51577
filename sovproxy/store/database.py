"""Opening the store: one SQLAlchemy engine, its tables, and its failures under one name."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, exc, make_url
from sqlmodel import create_engine

from sovproxy.errors import SovproxyError
from sovproxy.store.gathering import Queue
from sovproxy.store.hosts import HostBook
from sovproxy.store.packing import CACHE_BYTES, ColumnCache
from sovproxy.store.sealing import Seal
from sovproxy.store.sorts import SortBook
from sovproxy.store.tally import SeenBook
from sovproxy.store.upgrade import UnusableStore, bring_up_to_date
from sovproxy.store.words import WordBook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import URL, Connection, Engine

__all__ = ["Store", "StoreUnavailable", "UnusableStore", "connect", "open_store", "sqlite_url"]

BUSY_MILLISECONDS: Final = 5000
SQLITE_CONNECTIONS: Final = 40
POSTGRESQL_CONNECTIONS: Final = 10  # of each process; when all are busy, twice as many more
CONNECT_SECONDS: Final = 5
WAIT_SECONDS: Final = 10  # for a free connection
CHECKPOINT_PAGES: Final = 8000  # 32 MiB of log before it is written back
CACHE_KIB: Final = 32 * 1024  # of each connection, as far as it is used
_WRITE: Final = "sovproxy_write"
_LOCKS: Final = 0x50F  # the first half of our advisory locks; the second is one of those below
_WRITING, _INGESTING, _MIGRATING = 1, 2, 3
_OUR_MISTAKES = (exc.IntegrityError, exc.ProgrammingError, exc.DataError)


class StoreUnavailable(SovproxyError):
    """The store cannot be reached, read or written now; trying again later may help."""


class Store:
    """The open store. Several processes may have it open.

    On SQLite there is one writer at a time, and a process waits 5 s for those of others. On
    PostgreSQL there is one that ingests and one that writes anything else, so that an entry of the
    audit need not wait for a batch of events.
    """

    def __init__(
        self, engine: Engine, cache_bytes: int = CACHE_BYTES, seal: Seal | None = None
    ) -> None:
        self._engine = engine
        self.seal = seal or Seal.passing()
        sqlite = engine.dialect.name == "sqlite"
        isolated = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = engine if sqlite else engine.execution_options(**isolated)
        self._writer = engine.execution_options(**{_WRITE: True})
        lock = threading.Lock()
        self._locks = {_WRITING: lock, _INGESTING: lock if sqlite else threading.Lock()}
        self._locks[_MIGRATING] = self._locks[_WRITING]
        self.sorts = SortBook()
        self.words = WordBook()
        self.hosts = HostBook()
        self.seen = SeenBook()
        self.columns = ColumnCache(cache_bytes)
        self.deliveries = Queue()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state. Raises StoreUnavailable."""
        with self._translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable when the block ends, or not made at all.

        Nobody else is between reading and writing meanwhile. Raises StoreUnavailable.
        """
        with self._changing(_WRITING) as connection:
            yield connection

    @contextmanager
    def ingesting(self) -> Iterator[Connection]:
        """As `writing`, for events, rollups, and what is counted from them."""
        with self._changing(_INGESTING) as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """As `writing`, for the tables themselves."""
        with self._changing(_MIGRATING) as connection:
            yield connection

    @contextmanager
    def _changing(self, what: int) -> Iterator[Connection]:
        with self._translated(), self._locks[what], self._writer.begin() as connection:
            if connection.dialect.name != "sqlite":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCKS}, {what})")
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise StoreUnavailable for what is not our mistake, also when it comes from the driver
        itself."""
        driver = self._engine.dialect.loaded_dbapi
        try:
            yield
        except _OUR_MISTAKES:
            raise
        except (exc.DBAPIError, exc.TimeoutError) as error:
            cause = error.orig if isinstance(error, exc.DBAPIError) else error
            raise StoreUnavailable(f"the store cannot be used now: {cause}") from error
        except (driver.OperationalError, driver.InterfaceError, driver.InternalError) as error:
            raise StoreUnavailable(f"the store cannot be used now: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_store(url: str, *, cache_bytes: int = CACHE_BYTES, seal: Seal | None = None) -> Store:
    """Open the store at an SQLAlchemy URL, make its tables or bring them up to date.

    `postgresql://` means psycopg. `cache_bytes` is the most that columns may take in memory, `seal`
    what secrets are sealed with; who opens a store without one can neither read nor keep any.

    Raises UnusableStore for a bad URL or for tables of another version, StoreUnavailable if it
    cannot be reached.
    """
    store = connect(url, cache_bytes, seal)
    try:
        bring_up_to_date(store)
    except BaseException:
        store.close()
        raise
    return store


def connect(url: str, cache_bytes: int = CACHE_BYTES, seal: Seal | None = None) -> Store:
    """As `open_store`, without a look at the tables."""
    try:
        parsed = _with_driver(make_url(url))
        engine = create_engine(parsed, **_options(parsed))
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, TypeError) as error:
        examples = "sqlite:////var/lib/x.sqlite or postgresql://user@host/name"
        raise UnusableStore(
            f"the store's URL is not usable: {error}; such as {examples}"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, parsed.database or "")
    elif engine.dialect.name != "postgresql":
        raise UnusableStore(f"the store must be SQLite or PostgreSQL, not {engine.dialect.name}")
    return Store(engine, cache_bytes, seal)


def _with_driver(url: URL) -> URL:
    plain = url.drivername in {"postgresql", "postgres"}
    return url.set(drivername="postgresql+psycopg") if plain else url


def _options(url: URL) -> dict[str, Any]:
    """Connections that were lost are noticed before they are used, and replaced."""
    if url.get_backend_name() == "sqlite":
        return {"pool_size": SQLITE_CONNECTIONS}
    timeouts = {"connect_timeout": CONNECT_SECONDS}
    return {
        "pool_size": POSTGRESQL_CONNECTIONS,
        "max_overflow": 2 * POSTGRESQL_CONNECTIONS,
        "pool_timeout": WAIT_SECONDS,
        "pool_pre_ping": True,
        "connect_args": {k: v for k, v in timeouts.items() if k not in url.query},
    }


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite store in the file `path`."""
    return f"sqlite:///{path}"


def _prepare_sqlite(engine: Engine, file: str) -> None:
    if file in {"", ":memory:"}:
        raise UnusableStore("the store must be a file: sqlite:////folder/name.sqlite")
    try:
        os.makedirs(os.path.dirname(os.path.abspath(file)), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120, PTH100  # a URL's path is text
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the store {file} cannot be made: {error.strerror}") from error
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _configure_sqlite(connection: SqliteConnection, _record: object) -> None:
    """FULL: what the API has accepted survives a power cut, because the node forgets it then."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        f"cache_size=-{CACHE_KIB}",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: upgrading a reader later can fail without waiting."""
    writes = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
