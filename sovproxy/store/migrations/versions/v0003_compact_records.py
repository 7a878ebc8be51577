"""Narrow rows of events, their columns in blocks, and packed tallies; partitions on PostgreSQL.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sovproxy.store.migrations import compact, spread
from sovproxy.store.partitions import make_outer

revision = "0003"
down_revision = "0002"

_INDEXES = {
    "event": ("event_time", "event_sort_time", "event_host_time", "event_client_time"),
    "rollup": ("rollup_start",),
}
_OLD = ("event", "rollup", "sort", "tally")
_NEW = ("word", "counter", "block", "block_column")
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RECORD_ID = sa.Uuid().with_variant(sa.LargeBinary(16), "sqlite")


def upgrade() -> None:
    """Write every row anew, some thousands at a time."""
    for table, names in _INDEXES.items():
        for name in names:
            op.drop_index(name, table)
    _set_aside(_OLD)
    _make()
    compact.convert(op.get_bind())
    for name in _OLD:
        op.drop_table(f"old_{name}")
    op.execute("DELETE FROM sovproxy_schema")
    op.execute("INSERT INTO sovproxy_schema (version) VALUES (3)")


def downgrade() -> None:
    """Write every row as it was."""
    op.drop_index("rollup_start", "rollup")
    _set_aside(_OLD)
    spread.make_tables()
    spread.convert(op.get_bind())
    for name in (*(f"old_{name}" for name in _OLD), *_NEW):
        op.drop_table(name)
    op.execute("UPDATE sovproxy_schema SET version = 2")


def _set_aside(tables: tuple[str, ...]) -> None:
    """Rename tables; on PostgreSQL the names of their indexes are taken too."""
    connection = op.get_bind()
    for name in tables:
        if connection.dialect.name == "postgresql":
            query = sa.text("SELECT indexname FROM pg_indexes WHERE tablename = :name")
            for index in connection.execute(query, {"name": name}).scalars().all():
                op.execute(f'ALTER INDEX "{index}" RENAME TO "old_{index}"')
        op.rename_table(name, f"old_{name}")


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names]


def _large(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _bytes(*names: str) -> list[sa.Column[bytes]]:
    return [sa.Column(name, sa.LargeBinary(), nullable=False) for name in names]


def _key(name: str, kind: sa.types.TypeEngine[int] = _SEQUENCE) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _make() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _make_partitioned()
    else:
        op.create_table(
            "event",
            _key("seq"),
            sa.Column("id", _RECORD_ID, nullable=False),
            *_event_columns(),
            sa.UniqueConstraint("id", name="event_id"),
        )
    op.create_table(
        "rollup",
        _key("seq"),
        sa.Column("id", _RECORD_ID, nullable=False, unique=True),
        *_large("start"),
        *_numbers("seconds", "sort"),
        *_large("count"),
    )
    op.create_index("rollup_start", "rollup", ["start"])
    _make_dictionaries()
    _make_columns()


def _event_columns() -> list[sa.Column[int]]:
    return [*_large("time"), *_numbers("sort", "client", "host", "address", "detail", "port")]


def _make_partitioned() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        *_event_columns(),
        postgresql_partition_by="RANGE (time)",
    )
    op.create_index("event_id_time", "event", ["id", "time"], unique=True)
    op.create_index("event_seq", "event", ["seq"])
    make_outer(op.get_bind())


def _make_dictionaries() -> None:
    op.create_table(
        "sort",
        _key("id", sa.Integer()),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("sort", sa.String(), nullable=False),
    )
    op.create_table(
        "word",
        sa.Column("kind", sa.String(), primary_key=True),
        _key("id", sa.Integer()),
        *_bytes("digest"),
        sa.Column("value", sa.String(), nullable=False),
        *_large("first", "last"),
        sa.UniqueConstraint("digest", name="word_digest"),
        sqlite_with_rowid=False,
    )
    op.create_table("counter", sa.Column("name", sa.String(), primary_key=True), *_large("last"))


def _make_columns() -> None:
    op.create_table(
        "block",
        _key("id"),
        *_numbers("level", "size"),
        *_large("last_seq", "first_time", "last_time"),
    )
    op.create_table(
        "block_column",
        _key("block", sa.BigInteger()),
        sa.Column("name", sa.String(), primary_key=True),
        *_bytes("data"),
    )
    op.create_table(
        "tally",
        _key("id"),
        *_numbers("seconds"),
        *_large("start"),
        *_numbers("level"),
        *_bytes("sorts", "numbers"),
    )
    op.create_index("tally_start", "tally", ["seconds", "start"])
    if op.get_bind().dialect.name == "postgresql":
        for table, name in (("block_column", "data"), ("tally", "sorts"), ("tally", "numbers")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {name} SET STORAGE EXTERNAL")
