"""The table of what vendors show that no file knows; `tables` has all."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata

# Fields that neither a connector's document nor a mapping names, and values that a policy ignores,
# without anything that may tell of a person (unknown_parts).
unknown_part = Table(
    "unknown_part",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("entity", StorableText, primary_key=True),
    Column("kind", StorableText, primary_key=True),
    Column("field", StorableText, primary_key=True),
    Column("value", StorableText, primary_key=True),
    Column("seen", BigInteger, nullable=False),
    Column("first_seen", UTCDateTime, nullable=False),
    Column("last_seen", UTCDateTime, nullable=False),
    Column("shape", Json, nullable=False),
    Column("dismissed_at", UTCDateTime),
)
