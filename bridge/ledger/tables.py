"""The tables of the ledger. A change here needs a migration; a test compares the two.

What must exist only once is guarded by a unique constraint: looking first and inserting afterwards
would let two workers insert.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    text,
)

from bridge.ledger.access_tables import (
    account,
    api_token,
    audit,
    kept_answer,
    sign_in_failure,
    sign_in_link,
    used_sign_in,
    web_session,
)
from bridge.ledger.call_tables import vendor_call
from bridge.ledger.catch_up_tables import catch_up, stray_copy
from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata, partial_index
from bridge.ledger.configuration_tables import (
    configuration,
    mapping_draft,
    mapping_revision,
    process,
)
from bridge.ledger.connection_tables import connection_health, probed
from bridge.ledger.notice_tables import (
    CONFLICT_UNTOLD,
    PARKED_UNTOLD,
    RUN_UNTOLD,
    notice,
    notice_endpoint,
    notice_sending,
    notice_told,
)
from bridge.ledger.number_tables import census, figure, tally
from bridge.ledger.survey_tables import survey
from bridge.ledger.unknown_tables import unknown_part

__all__ = [
    "account",
    "api_token",
    "attempt",
    "audit",
    "catch_up",
    "census",
    "configuration",
    "conflict",
    "connection_health",
    "create_intent",
    "drift",
    "figure",
    "inbox",
    "journal",
    "kept_answer",
    "link",
    "mapping_draft",
    "mapping_revision",
    "match_key",
    "metadata",
    "notice",
    "notice_endpoint",
    "notice_sending",
    "notice_told",
    "person",
    "probed",
    "process",
    "run",
    "side",
    "sighting",
    "sign_in_failure",
    "sign_in_link",
    "stray_copy",
    "survey",
    "tally",
    "unknown_part",
    "unmapped",
    "used_sign_in",
    "vendor_call",
    "web_session",
    "work",
]

# Every accepted webhook, once for each delivery key (webhook_inbox).
inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection", StorableText, nullable=False),
    Column("delivery_key", StorableText, nullable=False),
    Column("received_at", UTCDateTime, nullable=False),
    Column("deliveries", Integer, nullable=False, default=1),
    Column("headers", Json(lenient=True), nullable=False),
    Column("projection", Json(lenient=True), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("event", StorableText, nullable=False),
    Column("entity", StorableText),
    Column("remote_id", StorableText),
    Column("verdict", String(20), nullable=False),
    Column("why", StorableText, nullable=False),
    Column("settled_at", UTCDateTime),
    Column("body", StorableText),
    UniqueConstraint("connection", "delivery_key"),
)
partial_index(
    "ix_inbox_pending",
    inbox.c.connection,
    inbox.c.entity,
    inbox.c.remote_id,
    where=inbox.c.verdict == text("'pending'"),
)
Index("ix_inbox_received_at", inbox.c.received_at)

# A record as the bridge knows it, with the agreed state, its lease and its fence (links).
link = Table(
    "link",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("sync", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("state", Json, nullable=False),
    Column("paused", Boolean, nullable=False, default=False),
    Column("parent_id", String(64)),
    Column("lease_owner", StorableText),
    Column("lease_until", UTCDateTime),
    Column("fence", Integer, nullable=False, default=0),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
)

Index("ix_link_parent_id", link.c.parent_id)
Index("ix_link_newest", link.c.entity, link.c.created_at, link.c.id)

# The records of a link, one live side for each connection, with what each showed last (links).
side = Table(
    "side",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("remote_id", StorableText, nullable=False),
    Column("fields", Json, nullable=False),
    Column("version", StorableText),
    Column("read_at", UTCDateTime),
    Column("missing_since", UTCDateTime),
    Column("tombstone", Boolean, nullable=False, default=False),
    Column("suspect", Json),
    Column("in_vain", Integer, nullable=False, default=0, server_default=text("0")),
    Column("in_scope", Boolean, nullable=False, default=True),
    Column("detached", Boolean, nullable=False, default=False, server_default=text("false")),
    Column("handle", StorableText, nullable=False, default="", server_default=""),
    Column("unread", Boolean, nullable=False, default=False, server_default=text("false")),
    Column("created_at", UTCDateTime, nullable=False),
    UniqueConstraint("connection", "entity", "remote_id"),
)
partial_index(
    "uq_side_live", side.c.link_id, side.c.connection, unique=True, where=text("tombstone = false")
)
Index("ix_side_link_id", side.c.link_id)
# By an id, or its beginning, whichever connection it is of: what a person types.
Index("ix_side_remote_id", side.c.remote_id, postgresql_ops={"remote_id": "text_pattern_ops"})
# Only the few rows of which it is so are indexed, and found without a look at the others.
for _flag, *_columns in (
    (link.c.paused, link.c.id),
    (side.c.unread, side.c.id),
    (side.c.tombstone, side.c.connection, side.c.entity, side.c.tombstone),
):
    _is_so = text(f"{_flag.name} = true")
    _name = f"ix_{_flag.table.name}_{_flag.name}"
    partial_index(_name, *_columns, where=_is_so)

# Outstanding work, one row for each key (work, parking).
work = Table(
    "work",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", StorableText, nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("remote_id", StorableText),
    Column("link_id", String(64)),
    Column("lane", SmallInteger, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", StorableText, nullable=False, default=""),
    Column("parked_at", UTCDateTime),
    Column("parked_since", UTCDateTime),
    Column("parked_why", StorableText, nullable=False, default=""),
    Column("parked_cause", StorableText, nullable=False, default=""),
    Column("generation", Integer, nullable=False, default=1),
    Column("claimed_by", StorableText),
    Column("claimed_until", UTCDateTime),
    Column("payload", Json),
    Column("run_id", Integer),
    Column("handle", StorableText, nullable=False, default="", server_default=""),
    Column("noticed", StorableText, nullable=False, default="", server_default=""),
    Column("created_at", UTCDateTime, nullable=False),
)
partial_index("ix_work_due", work.c.lane, work.c.due_at, where=work.c.parked_at.is_(None))
partial_index("ix_work_parked_cause", work.c.parked_cause, where=work.c.parked_at.is_not(None))
Index("ix_work_link_id", work.c.link_id)

# Writes, stored before they are sent; at most one open for each side (attempts).
attempt = Table(
    "attempt",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("side_id", ForeignKey("side.id", ondelete="CASCADE"), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("verb", StorableText, nullable=False),
    Column("detail", Json, nullable=False),
    Column("remaining", Json, nullable=False),
    Column("send_by", UTCDateTime, nullable=False),
    Column("destructive", Integer, nullable=False, default=0),
    Column("opened_at", UTCDateTime, nullable=False),
    Column("closed_at", UTCDateTime),
    Column("outcome", StorableText),
    Column("read_back", Json(lenient=True)),
    Column("latency_ms", Integer),
    Column("run_id", Integer),
    Column("mapping_revision", Integer),
)
partial_index(
    "uq_attempt_open", attempt.c.side_id, unique=True, where=attempt.c.closed_at.is_(None)
)
Index("ix_attempt_link_id", attempt.c.link_id)
partial_index(
    "ix_attempt_destructive",
    attempt.c.connection,
    attempt.c.opened_at,
    where=attempt.c.destructive > text("0"),
)

# Creates, stored before they are sent; at most one open for a link and connection (intents).
create_intent = Table(
    "create_intent",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("marker", String(64), nullable=False, unique=True),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("draft", Json, nullable=False),
    Column("send_by", UTCDateTime, nullable=False),
    Column("opened_at", UTCDateTime, nullable=False),
    Column("closed_at", UTCDateTime),
    Column("outcome", StorableText),
    Column("remote_id", StorableText),
    Column("run_id", Integer),
    Column("mapping_revision", Integer),
)
partial_index(
    "uq_create_intent_open",
    create_intent.c.link_id,
    create_intent.c.connection,
    unique=True,
    where=create_intent.c.closed_at.is_(None),
)
Index("ix_create_intent_link_id", create_intent.c.link_id)
# Only rows of a run are indexed, so live traffic does not pay for it.
for _table in (work, attempt, create_intent):
    _of_a_run = _table.c.run_id.is_not(None)
    partial_index(f"ix_{_table.name}_run_id", _table.c.run_id, where=_of_a_run)

# Keys by which a new record finds the link that it belongs to (matching).
match_key = Table(
    "match_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sync", StorableText, nullable=False),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("rule", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("at", UTCDateTime),
    UniqueConstraint("link_id", "connection", "sync", "rule", "hash"),
    Index("ix_match_key_hash", "sync", "rule", "hash"),
)

# Conflicts, settled and open (conflict_log).
conflict = Table(
    "conflict",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("field", StorableText, nullable=False),
    Column("kind", StorableText, nullable=False),
    Column("connection", StorableText, nullable=False, default=""),
    Column("opened_at", UTCDateTime, nullable=False),
    Column("closed_at", UTCDateTime),
    Column("why", StorableText, nullable=False, default=""),
    Column("detail", Json(lenient=True), nullable=False),
    Column("resolution", StorableText, nullable=False, default=""),
    Column("noticed", Boolean, nullable=False, default=False, server_default=text("false")),
    Index("ix_conflict_link_id", "link_id"),
)
partial_index(
    "uq_conflict_open",
    conflict.c.link_id,
    conflict.c.field,
    unique=True,
    where=conflict.c.closed_at.is_(None),
)

# Reconciliations, imports and other long jobs, with how far they have come (run_records).
run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("entity", StorableText, nullable=False),
    Column("due", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime, nullable=False),
    Column("progress_at", UTCDateTime, nullable=False),
    Column("finished_at", UTCDateTime),
    Column("paused_at", UTCDateTime),
    Column("cursor", Json),
    Column("seen", Integer, nullable=False, default=0),
    Column("hinted", Integer, nullable=False, default=0),
    Column("error", StorableText, nullable=False, default=""),
    Column("figures", Json),
    Column("noticed", Boolean, nullable=False, default=False, server_default=text("false")),
    Index("ix_run_last", "kind", "connection", "entity", "id"),
)
partial_index(
    "uq_run_open",
    run.c.kind,
    run.c.connection,
    run.c.entity,
    unique=True,
    where=run.c.finished_at.is_(None),
)
# Looked at before each claim; nearly always empty.
partial_index("ix_run_paused", run.c.id, where=run.c.paused_at.is_not(None))

# What no notice has told of yet (notice_sources); nearly always empty.
partial_index("ix_work_unnoticed", work.c.connection, work.c.parked_cause, where=PARKED_UNTOLD)
partial_index("ix_conflict_unnoticed", conflict.c.id, where=CONFLICT_UNTOLD)
partial_index("ix_run_unnoticed", run.c.id, where=RUN_UNTOLD)

# Who is who on a connection, learned from records (directory).
person = Table(
    "person",
    metadata,
    Column("connection", StorableText, primary_key=True),
    Column("remote_id", StorableText, primary_key=True),
    Column("email", StorableText, nullable=False),
    Column("name", StorableText, nullable=False, default=""),
    Column("seen_at", UTCDateTime, nullable=False),
    Index("ix_person_email", "email"),
)

# Agents shown on a link whom nobody knows yet (directory).
unmapped = Table(
    "unmapped",
    metadata,
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), primary_key=True),
    Column("connection", StorableText, primary_key=True),
    Column("field", StorableText, primary_key=True),
    Column("who", StorableText, nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Index("ix_unmapped_who", "connection", "who"),
)

# The timeline of every link (timeline).
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("link_id", ForeignKey("link.id", ondelete="CASCADE"), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("kind", StorableText, nullable=False),
    Column("connection", StorableText, nullable=False),
    Column("field", StorableText, nullable=False),
    Column("detail", Json(lenient=True), nullable=False),
    Index("ix_journal_link_id", "link_id", "id"),
)

# What a listing last showed of a side (listings).
sighting = Table(
    "sighting",
    metadata,
    Column("side_id", ForeignKey("side.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(40)),
    Column("fence", Integer, nullable=False, default=0),
    Column("day", Integer, nullable=False, default=0),
    Column("seen_run", Integer, nullable=False, default=0),
)

# Differences that reconciliation found (drift_findings).
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
    Index("ix_drift_why", "why", "connection", "entity"),
)
partial_index(
    "ix_drift_open",
    drift.c.connection,
    drift.c.entity,
    drift.c.remote_id,
    where=text("healed_at IS NULL"),
)
