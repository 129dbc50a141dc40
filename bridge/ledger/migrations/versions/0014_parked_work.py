"""Each batch of a listing asks whether any of it waits in vain: answered by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index of the parked work alone."""
    parked = sa.text("parked_at IS NOT NULL")
    op.create_index(
        "ix_work_parked_cause",
        "work",
        ["parked_cause"],
        sqlite_where=parked,
        postgresql_where=parked,
    )
