"""Notices to other programs, and a mark on what they were told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add tables, marks, and indexes of what no notice has told of; runs that ended are history."""
    _add_tables()
    op.add_column("work", sa.Column("noticed", sa.Text(), nullable=False, server_default=""))
    for table in ("conflict", "run"):
        no = sa.text("false")
        op.add_column(table, sa.Column("noticed", sa.Boolean(), nullable=False, server_default=no))
    op.execute(sa.text("UPDATE run SET noticed = true WHERE finished_at IS NOT NULL"))
    parked = "parked_at IS NOT NULL AND noticed <> parked_cause"
    for table, columns, untold in (
        ("work", ["connection", "parked_cause"], f"{parked} AND parked_cause <> 'creation budget'"),
        ("conflict", ["id"], "closed_at IS NULL AND noticed = false"),
        ("run", ["id"], "finished_at IS NOT NULL AND noticed = false"),
    ):
        where = sa.text(untold)
        name = f"ix_{table}_unnoticed"
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _add_tables() -> None:
    op.create_table(
        "notice",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notice")),
        sa.UniqueConstraint("id", name=op.f("uq_notice_id")),
    )
    op.create_table(
        "notice_sending",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("tried_at", _TIME),
        sa.Column("status", sa.Integer()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_sending")),
        sa.ForeignKeyConstraint(
            ["notice"],
            ["notice.number"],
            name=op.f("fk_notice_sending_notice_notice"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("notice", "endpoint", name=op.f("uq_notice_sending_notice_endpoint")),
    )
    for name, column, state in (("due", "due_at", "waiting"), ("failed", "id", "failed")):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"ix_notice_sending_{name}",
            "notice_sending",
            ["endpoint", column],
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "notice_endpoint",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("succeeded_at", _TIME),
        sa.Column("failed_at", _TIME),
        sa.Column("failing_since", _TIME),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("gone_at", _TIME),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_notice_endpoint")),
    )
    op.create_table(
        "notice_told",
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "connection", "subject", name=op.f("pk_notice_told")),
    )
