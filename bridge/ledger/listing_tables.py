"""The tables of reconciliation: what a listing last showed of each record, and what was found to have drifted."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, text

from bridge.ledger.columns import Json, StorableText, UTCDateTime
from bridge.ledger.metadata import metadata

sighting = Table(
    "sighting",
    metadata,
    Column("side_id", ForeignKey("side.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(40)),
    Column("fence", Integer, nullable=False, default=0),
    Column("day", Integer, nullable=False, default=0),
    Column("seen_run", Integer, nullable=False, default=0),
)

drift = Table(
    "drift",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("remote_id", StorableText, nullable=False),
    Column("kind", StorableText, nullable=False),
    Column("fields", Json, nullable=False),
    Column("since", UTCDateTime),
    Column("why", StorableText, nullable=False),
    Column("found_at", UTCDateTime, nullable=False),
    Column("healed_at", UTCDateTime),
    Index("ix_drift_run_id", "run_id"),
    Index("ix_drift_found_at", "found_at"),
)
Index(
    "ix_drift_open",
    drift.c.connection,
    drift.c.entity,
    drift.c.remote_id,
    sqlite_where=text("healed_at IS NULL"),
    postgresql_where=text("healed_at IS NULL"),
)
