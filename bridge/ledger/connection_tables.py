"""Tables of how connections are and what they can do; `tables` has all."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table

from bridge.ledger.columns import StorableText, UTCDateTime, metadata

# Failures, pauses and the circuit breaker of each connection (connection_health).
connection_health = Table(
    "connection_health",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("paused_until", UTCDateTime),
    Column("refused_at", UTCDateTime),
    Column("why", StorableText, nullable=False, default=""),
    Column("failures", Integer, nullable=False, default=0),
    Column("failed_at", UTCDateTime),
    Column("since", UTCDateTime),
    Column("held_at", UTCDateTime),
    Column("opened", Integer, nullable=False, default=0, server_default="0"),
    Column("probe_until", UTCDateTime),
    Column("throttled", Integer, nullable=False, default=0, server_default="0"),
    Column("failing", StorableText, nullable=False, default="", server_default=""),
    Column("forbidden", StorableText, nullable=False, default="", server_default=""),
)

# Capabilities that were found out by trying (probes).
probed = Table(
    "probed",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("name", StorableText, primary_key=True),
    Column("value", Boolean, nullable=False),
    Column("why", StorableText, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)
