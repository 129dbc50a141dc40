"""Three tables of the ledger that hold numbers; `tables` has all."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, String, Table

from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata

# Counts that outlive the rows they count (webhook_inbox).
tally = Table(
    "tally",
    metadata,
    Column("name", StorableText, primary_key=True),
    Column("value", Integer, nullable=False),
)

# What there is in a large ledger, as it was counted last (census).
census = Table(
    "census",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("counts", Json, nullable=False),
)

# Numbers that a connection reports about its account (gauges).
figure = Table(
    "figure",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("name", StorableText, primary_key=True),
    Column("value", Float, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)
