"""Links with parents, the people of each connection, figures, and the run that work belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and columns."""
    op.add_column("link", sa.Column("parent_id", sa.String(length=64), nullable=True))
    op.create_index("ix_link_parent_id", "link", ["parent_id"])
    for table in ("work", "attempt", "create_intent"):
        op.add_column(table, sa.Column("run_id", sa.Integer(), nullable=True))
    op.add_column("run", sa.Column("figures", sa.Text(), nullable=True))
    op.add_column(
        "side", sa.Column("detached", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "person",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "remote_id", name=op.f("pk_person")),
    )
    op.create_index("ix_person_email", "person", ["email"])
    op.create_table(
        "unmapped",
        sa.Column("link_id", sa.String(length=64), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["link.id"], name=op.f("fk_unmapped_link_id_link"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link_id", "connection", "field", name=op.f("pk_unmapped")),
    )
    op.create_index("ix_unmapped_who", "unmapped", ["connection", "who"])
    op.create_table(
        "sighting",
        sa.Column("side_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=40), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("seen_run", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["side_id"], ["side.id"], name=op.f("fk_sighting_side_id_side"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("side_id", name=op.f("pk_sighting")),
    )
    op.create_table(
        "drift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("healed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift")),
    )
    op.create_index("ix_drift_run_id", "drift", ["run_id"])
    op.create_index("ix_drift_found_at", "drift", ["found_at"])
    op.create_index(
        "ix_drift_open",
        "drift",
        ["connection", "entity", "remote_id"],
        sqlite_where=sa.text("healed_at IS NULL"),
        postgresql_where=sa.text("healed_at IS NULL"),
    )
    op.create_table(
        "figure",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("pk_figure")),
    )
    for name in ("since", "held_at", "probe_until"):
        op.add_column(
            "connection_health", sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        )
    for name in ("opened", "throttled"):
        op.add_column(
            "connection_health", sa.Column(name, sa.Integer(), server_default="0", nullable=False)
        )
    for name in ("failing", "forbidden"):
        op.add_column(
            "connection_health", sa.Column(name, sa.Text(), server_default="", nullable=False)
        )
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tally")),
    )
    op.execute("INSERT INTO tally (name, value) SELECT 'accepted', count(*) FROM inbox")
