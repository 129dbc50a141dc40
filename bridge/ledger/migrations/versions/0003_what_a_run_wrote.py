"""Find what a run wrote, and the creates of a link, without reading all that was ever written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes."""
    op.create_index("ix_create_intent_link_id", "create_intent", ["link_id"])
    asked = sa.text("run_id IS NOT NULL")
    for table in ("work", "attempt", "create_intent"):
        op.create_index(
            f"ix_{table}_run_id", table, ["run_id"], sqlite_where=asked, postgresql_where=asked
        )
