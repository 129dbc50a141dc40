"""An index by which links are listed, the newest first."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index: it changes when a link is made, and never with what happens to it."""
    op.create_index("ix_link_newest", "link", ["entity", "created_at", "id"])
