"""The tables of what a ledger that was lost or put back has to find again; see `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from bridge.ledger.columns import StorableText, UTCDateTime, metadata

# Connections that are newer than the ledger (catch_up).
catch_up = Table(
    "catch_up",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("since", UTCDateTime, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("why", StorableText, nullable=False),
)

# Copies of ours whose original is not known (stray_copies).
stray_copy = Table(
    "stray_copy",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("entity", StorableText, primary_key=True),
    Column("remote_id", StorableText, primary_key=True),
    Column("original", String(16), nullable=False),
    Column("seen_at", UTCDateTime, nullable=False),
    Index("ix_stray_copy_original", "connection", "original"),
)
