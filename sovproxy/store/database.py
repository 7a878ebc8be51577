"""Opening the store: one SQLAlchemy engine, its tables, and its failures under one name."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, event, exc, func, insert, make_url, select
from sqlmodel import SQLModel, create_engine

from sovproxy.errors import SovproxyError
from sovproxy.store.migrations import MIGRATIONS
from sovproxy.store.sorts import SortBook
from sovproxy.store.tables import SCHEMA_VERSION, SchemaRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import Connection, Engine

BUSY_MILLISECONDS: Final = 5000
POOL_SIZE: Final = 40
CHECKPOINT_PAGES: Final = 8000  # 32 MiB of log before it is written back
CACHE_KIB: Final = 32 * 1024  # of each connection, as far as it is used
_WRITE: Final = "sovproxy_write"
_OUR_MISTAKES = (exc.IntegrityError, exc.ProgrammingError, exc.DataError)


class StoreUnavailable(SovproxyError):
    """The store cannot be reached, read or written now; trying again later may help."""


class UnusableStore(SovproxyError):
    """The store's URL or its tables are not what this version can work with."""


class Store:
    """The open store. Writers of this process queue; SQLite makes other processes wait 5 s."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._write_lock = threading.Lock()
        self.sorts = SortBook()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent state. Raises StoreUnavailable."""
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable when the block ends, or not made at all.

        Raises StoreUnavailable.
        """
        writer = self._engine.execution_options(**{_WRITE: True})
        with _translated(), self._write_lock, writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_store(url: str) -> Store:
    """Open the store at an SQLAlchemy URL and make its tables if there are none.

    Raises UnusableStore for a bad URL or foreign tables, StoreUnavailable if it cannot be reached.
    """
    try:
        parsed = make_url(url)
        options = {} if parsed.get_backend_name() != "sqlite" else {"pool_size": POOL_SIZE}
        engine = create_engine(parsed, **options)
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, TypeError) as error:
        message = f"the store's URL is not usable: {error}; such as sqlite:////var/lib/x.sqlite"
        raise UnusableStore(message) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, parsed.database or "")
    store = Store(engine)
    _create_tables(store)
    return store


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


def _create_tables(store: Store) -> None:
    with store.writing() as connection:
        SQLModel.metadata.tables[SchemaRow.__tablename__].create(connection, checkfirst=True)
        version = connection.scalar(select(func.max(SchemaRow.version)))
        if version is not None and version != SCHEMA_VERSION and version not in MIGRATIONS:
            message = f"has tables of version {version}, this sovproxy works with {SCHEMA_VERSION}"
            raise UnusableStore(f"the store {message}; use the sovproxy that made it")
        for old in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
            MIGRATIONS[old](connection)
        SQLModel.metadata.create_all(connection)
        if version != SCHEMA_VERSION:
            connection.execute(delete(SchemaRow))
            connection.execute(insert(SchemaRow).values(version=SCHEMA_VERSION))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _OUR_MISTAKES:
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise StoreUnavailable(f"the store cannot be used now: {cause}") from error
