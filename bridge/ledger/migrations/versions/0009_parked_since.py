"""Since when work is parked, however often it was freed and parked again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column; what is parked already counts from when it was parked last."""
    op.add_column("work", sa.Column("parked_since", sa.DateTime(timezone=True), nullable=True))
