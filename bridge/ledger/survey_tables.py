"""The tables of surveys: what a listing showed of a system in which an import makes records.

See `tables`.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from bridge.ledger.columns import StorableText, UTCDateTime, metadata

# Listings of a connection's records of one entity, walked through by an import (surveys).
survey = Table(
    "survey",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("entity", StorableText, primary_key=True),
    Column("revision", StorableText, nullable=False),
    Column("began_at", UTCDateTime, nullable=False),
    Column("as_of", UTCDateTime),
    Column("asked", Boolean, nullable=False),
)

# Every record that a survey has met, once for each of its match keys (surveys).
surveyed_key = Table(
    "surveyed_key",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("entity", StorableText, primary_key=True),
    Column("remote_id", StorableText, primary_key=True),
    Column("rule", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at", UTCDateTime),
    Index("ix_surveyed_key_hash", "connection", "entity", "hash"),
)
