"""What the doctor asks four times a minute: found by an index, or counted now and then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MARK = '"unreadable_code":"BRG-READ-VALUE"'


def upgrade() -> None:
    """Add the table and the indexes; mark the records that show a value without a reading."""
    op.create_table(
        "census",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_census")),
    )
    op.add_column(
        "side", sa.Column("unread", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    side = sa.table("side", sa.column("fields", sa.Text()), sa.column("unread", sa.Boolean()))
    marked = sa.func.replace(side.c.fields, MARK, "") != side.c.fields
    op.execute(side.update().where(marked).values(unread=True))
    for table, column, columns in (
        ("side", "unread", ["id"]),
        ("side", "tombstone", ["connection", "entity", "tombstone"]),
        ("link", "paused", ["id"]),
    ):
        holds = sa.text(f"{column} = true")
        op.create_index(
            f"ix_{table}_{column}", table, columns, sqlite_where=holds, postgresql_where=holds
        )
