"""Meetings on sites that no catalogue knows are counted by day.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "meeting_count",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("host", sa.String(), primary_key=True),
        sa.Column("standing", sa.String(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop it, counts and all."""
    op.drop_table("meeting_count")
