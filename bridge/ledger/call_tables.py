"""The table of the last calls to vendors. See `tables`."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from bridge.ledger.columns import StorableText, UTCDateTime, metadata, partial_index

# HTTP calls of the last hours, to be looked at (vendor_calls). `link_id` is no reference: a call
# stays where the ticket is gone. What nobody asks for by itself is one text, `told`: columns cost.
vendor_call = Table(
    "vendor_call",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("link_id", String(64)),
    Column("method", String(10), nullable=False),
    Column("status", Integer),
    Column("ms", Integer, nullable=False),
    Column("code", String(40), nullable=False),
    Column("error", StorableText, nullable=False),
    Column("told", StorableText, nullable=False),
    Column("kept", StorableText),
    Index("ix_vendor_call_connection", "connection", "id"),
)
partial_index(
    "ix_vendor_call_link_id",
    vendor_call.c.link_id,
    vendor_call.c.id,
    where=vendor_call.c.link_id.is_not(None),
)
