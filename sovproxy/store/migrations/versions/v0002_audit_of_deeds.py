"""The audit tells of deeds too: its column `filter` becomes `details`.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Rename the column."""
    op.execute('ALTER TABLE audit RENAME COLUMN "filter" TO details')


def downgrade() -> None:
    """Rename it back."""
    op.execute('ALTER TABLE audit RENAME COLUMN details TO "filter"')
