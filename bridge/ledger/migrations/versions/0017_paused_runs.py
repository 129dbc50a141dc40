"""Runs can be paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index by which the few paused runs are found."""
    op.add_column("run", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True))
    where = sa.text("paused_at IS NOT NULL")
    op.create_index("ix_run_paused", "run", ["id"], sqlite_where=where, postgresql_where=where)
