"""Users who sign in by a provider, and which of their sign-ins were done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("account", sa.Column("issuer", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("subject", sa.Text(), nullable=True))
    op.add_column("account", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_account_issuer", "account", ["issuer", "subject"], unique=True)
    op.create_table(
        "used_sign_in",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_sign_in")),
    )
