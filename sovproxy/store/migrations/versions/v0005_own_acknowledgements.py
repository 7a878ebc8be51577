"""Acknowledgements are found by the client who made them.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the index."""
    op.create_index("acknowledgement_client", "acknowledgement", ["client", "until"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("acknowledgement_client", "acknowledgement")
