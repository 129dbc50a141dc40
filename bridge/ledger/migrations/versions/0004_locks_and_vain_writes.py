"""Locks without rows, and how many writes to a record changed nothing.

The table of locks kept a row for every key that was ever locked; PostgreSQL's advisory locks keep
none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the table, add the column."""
    op.drop_table("match_lock")
    op.add_column(
        "side", sa.Column("in_vain", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
