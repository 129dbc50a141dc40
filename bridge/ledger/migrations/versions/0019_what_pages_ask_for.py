"""Indexes for what pages and programs ask for, so that none goes through a big table."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.create_index(
        "ix_side_remote_id",
        "side",
        ["remote_id"],
        postgresql_ops={"remote_id": "text_pattern_ops"},
    )
    op.create_index("ix_conflict_link_id", "conflict", ["link_id"])
    op.create_index("ix_drift_why", "drift", ["why", "connection", "entity"])
    op.create_index("ix_audit_action", "audit", ["action"])
