"""Running Alembic from within sovproxy, without a file of settings."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from sovproxy.store.migrations.own_versions import from_1_to_2

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST: Final = "0001"
_FOLDER: Final = Path(__file__).parent
_lock = threading.Lock()  # Alembic keeps what it is doing in globals


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for work on this connection."""
    made = Config()
    made.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def is_known(revision: str) -> bool:
    """Whether there is a script of this revision."""
    try:
        return ScriptDirectory.from_config(config()).get_revision(revision) is not None
    except CommandError:
        return False


def upgrade(connection: Connection, revision: str) -> None:
    """Change the tables to those of a later revision, in the connection's transaction."""
    with _lock:
        command.upgrade(config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Change the tables to those of an earlier revision, in the connection's transaction."""
    with _lock:
        command.downgrade(config(connection), revision)


def stamp(connection: Connection, revision: str) -> None:
    """Note that the tables are those of this revision."""
    with _lock:
        command.stamp(config(connection), revision)


def adopt(connection: Connection, version: int) -> None:
    """Take in tables of version 1 or 2, which are older than revisions."""
    if version == 1:
        from_1_to_2(connection)
    stamp(connection, FIRST)
