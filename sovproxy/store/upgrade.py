"""Bringing the tables up to date, by Alembic revisions, whenever a store is opened.

An empty database gets the tables as they are now; a test compares them with what the revisions
make. Where something is to be changed, one process does it, and others wait for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.schema import CreateTable
from sqlmodel import SQLModel

from sovproxy.errors import SovproxyError
from sovproxy.store.partitions import make_ahead, make_outer
from sovproxy.store.tables import LAST_OWN_VERSION

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sovproxy.store.database import Store

HEAD: Final = "0007"
"""The last revision; a test compares it with the scripts."""

_REVISION: Final = Table(  # as Alembic makes it; to import Alembic takes a moment
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_OWN: Final = Table("sovproxy_schema", MetaData(), Column("version", Integer))


class UnusableStore(SovproxyError):
    """The store's URL or its tables are not what this version can work with."""


def bring_up_to_date(store: Store) -> None:
    """Make the tables, or change them to what this version works with.

    Raises UnusableStore if they are of another version, StoreUnavailable.
    """
    with store.reading() as connection:
        if current_revision(connection) == HEAD:
            return
    with store.migrating() as connection:
        if not inspect(connection).get_table_names():
            _create(connection)
        elif current_revision(connection) != HEAD:
            _upgrade(connection)


def current_revision(connection: Connection) -> str | None:
    """The revision of the tables; None if they are older than revisions, or not there."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(select(_REVISION.c.version_num))
    return found


def _create(connection: Connection) -> None:
    SQLModel.metadata.create_all(connection, checkfirst=False)
    connection.execute(
        insert(SQLModel.metadata.tables["sovproxy_schema"]).values(version=LAST_OWN_VERSION)
    )
    if connection.dialect.name == "postgresql":
        make_outer(connection)
        make_ahead(connection, datetime.now(UTC))
    connection.execute(CreateTable(_REVISION))
    connection.execute(insert(_REVISION).values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    from sovproxy.store.migrations import run  # noqa: PLC0415  # Alembic is slow to import

    revision = current_revision(connection)
    if revision is None:
        run.adopt(connection, _own_version(connection))
    elif not run.is_known(revision):
        _refuse(f"revision {revision}", HEAD)
    run.upgrade(connection, HEAD)


def _own_version(connection: Connection) -> int:
    """The version of tables that are older than revisions."""
    if not inspect(connection).has_table("sovproxy_schema"):
        raise UnusableStore("the store's database has tables that are not sovproxy's; give another")
    version = max(connection.execute(select(_OWN.c.version)).scalars(), default=0)
    if version not in {1, 2}:
        _refuse(f"version {version}", str(LAST_OWN_VERSION))
    return version


def _refuse(found: str, wanted: str) -> None:
    message = f"the store has tables of {found}, this sovproxy works with {wanted} at most"
    raise UnusableStore(f"{message}; use the sovproxy that made it, or a later one")
