"""Drop the table of locks: it kept a row for every key that was ever locked. PostgreSQL's advisory locks keep none."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the table."""
    op.drop_table("match_lock")
