"""What the ledger has to catch up with, and how a copy finds its original.

A marker in a copy names its original by a hash of the ref; every record that is known already gets
its key here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bridge.core.model.markers import original_key
from bridge.core.model.values import Ref

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ORIGINAL = -2
BATCH = 1000


def upgrade() -> None:
    """Add the tables, and a key for every record."""
    op.create_table(
        "catch_up",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_catch_up")),
    )
    op.create_table(
        "stray_copy",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("original", sa.String(16), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "entity", "remote_id", name=op.f("pk_stray_copy")),
    )
    op.create_index("ix_stray_copy_original", "stray_copy", ["connection", "original"])
    side = sa.table("side", *map(sa.column, ("id", "link_id", "connection", "entity", "remote_id")))
    link = sa.table("link", sa.column("id"), sa.column("sync"))
    match_key = sa.table(
        "match_key", *map(sa.column, ("sync", "link_id", "connection", "rule", "hash"))
    )
    known = sa.select(side, link.c.sync).join(link, link.c.id == side.c.link_id)
    at, after = op.get_bind(), 0
    while rows := at.execute(
        known.where(side.c.id > after).order_by(side.c.id).limit(BATCH)
    ).fetchall():
        after = rows[-1].id
        keys = [
            {
                "sync": row.sync,
                "link_id": row.link_id,
                "connection": row.connection,
                "rule": ORIGINAL,
                "hash": original_key(Ref(row.connection, row.entity, row.remote_id)),
            }
            for row in rows
        ]
        at.execute(match_key.insert(), keys)
