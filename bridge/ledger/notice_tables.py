"""The tables of notices, which other programs are told; `tables` has all."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table, UniqueConstraint, text

from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata, partial_index

PARKED_UNTOLD = text(
    "parked_at IS NOT NULL AND noticed <> parked_cause AND parked_cause <> 'creation budget'"
)
"""Work that was set aside, of which no notice has told with this cause.

What an import sets aside because it has made all that it may is no trouble. The condition is the
index's own, word for word: SQLite uses that for nothing else.
"""
CONFLICT_UNTOLD = text("closed_at IS NULL AND noticed = false")
RUN_UNTOLD = text("finished_at IS NOT NULL AND noticed = false")

# What other programs are told, each once (notice_outbox).
notice = Table(
    "notice",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("data", Json, nullable=False),
)

# The way of a notice to one endpoint (notice_outbox).
notice_sending = Table(
    "notice_sending",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("notice", ForeignKey("notice.number", ondelete="CASCADE"), nullable=False),
    Column("endpoint", StorableText, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("tried_at", UTCDateTime),
    Column("status", Integer),
    Column("outcome", StorableText, nullable=False),
    Column("claimed_by", StorableText),
    Column("claimed_until", UTCDateTime),
    UniqueConstraint("notice", "endpoint"),
)
partial_index(
    "ix_notice_sending_due",
    notice_sending.c.endpoint,
    notice_sending.c.due_at,
    where=text("state = 'waiting'"),
)
partial_index(
    "ix_notice_sending_failed",
    notice_sending.c.endpoint,
    notice_sending.c.id,
    where=text("state = 'failed'"),
)

# The endpoints that the files name, and how calls to each went (notice_outbox).
notice_endpoint = Table(
    "notice_endpoint",
    metadata,
    Column("name", StorableText, primary_key=True),
    Column("address", String(64), nullable=False),
    Column("since", UTCDateTime, nullable=False),
    Column("succeeded_at", UTCDateTime),
    Column("failed_at", UTCDateTime),
    Column("failing_since", UTCDateTime),
    Column("failures", Integer, nullable=False),
    Column("why", StorableText, nullable=False),
    Column("gone_at", UTCDateTime),
)

# Of what lasts: what was told last (notice_outbox).
notice_told = Table(
    "notice_told",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("connection", StorableText, primary_key=True),
    Column("subject", StorableText, primary_key=True),
    Column("state", StorableText, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)
