"""Tables of the ledger that are about the bridge itself; `tables` has all."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, String, Table

from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata

# What the files said whenever that changed between two starts; the newest row is in force
# (configurations).
configuration = Table(
    "configuration",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", String(64), nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("actor", StorableText, nullable=False),
    Column("detail", Json, nullable=False),
)

# The processes that run, each with the revision of the files that it was started with (processes).
process = Table(
    "process",
    metadata,
    Column("id", StorableText, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("started_at", UTCDateTime, nullable=False),
    Column("seen_at", UTCDateTime, nullable=False),
)

# The files of mappings/ as they were published or put in force, each whole; the newest is in force
# (mapping_revisions).
mapping_revision = Table(
    "mapping_revision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("parent", Integer),
    Column("state", String(20), nullable=False),
    Column("author", StorableText, nullable=False),
    Column("note", StorableText, nullable=False),
    Column("at", UTCDateTime, nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("files", Json, nullable=False),
    Column("proof", Json(lenient=True)),
    Column("effect", Json(lenient=True)),
)

# What somebody has typed and not published yet, by file (mapping_drafts).
mapping_draft = Table(
    "mapping_draft",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("author", StorableText, nullable=False),
    Column("base", Integer, nullable=False),
    Column("replaces", Boolean, nullable=False),
    Column("note", StorableText, nullable=False),
    Column("changes", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("made_at", UTCDateTime, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
)
