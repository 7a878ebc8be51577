"""What Alembic runs: revisions on the connection, and in the transaction, that it is given."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import sovproxy.store.tables  # noqa: F401  # makes all tables known

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
