"""The last calls to vendors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "vendor_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("link_id", sa.String(64), nullable=True),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_call")),
    )
    op.create_index(op.f("ix_vendor_call_connection"), "vendor_call", ["connection", "id"])
    has_ticket = sa.text("link_id IS NOT NULL")
    op.create_index(
        op.f("ix_vendor_call_link_id"),
        "vendor_call",
        ["link_id", "id"],
        sqlite_where=has_ticket,
        postgresql_where=has_ticket,
    )
