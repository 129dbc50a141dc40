"""Tables of the ledger about people: who may use the pages, and who did what; `tables` has all.

Of whatever lets somebody in, a digest is kept alone: who reads the ledger learns no way in.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table

from bridge.ledger.columns import Json, StorableText, UTCDateTime, metadata

# Who may use the pages, and as what (accounts).
account = Table(
    "account",
    metadata,
    Column("name", StorableText, primary_key=True),
    Column("role", String(20), nullable=False),
    Column("password", StorableText),
    Column("made_at", UTCDateTime, nullable=False),
    Column("disabled_at", UTCDateTime),
    # By whom and as what a provider knows them; both empty: they have a password or a link.
    Column("issuer", StorableText),
    Column("subject", StorableText),
    # Since when the provider gives them no role.
    Column("left_at", UTCDateTime),
    Index("ix_account_issuer", "issuer", "subject", unique=True),
)

# Who is signed in, in which browser, until when (web_sessions).
web_session = Table(
    "web_session",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account", StorableText, nullable=False, index=True),
    Column("began_at", UTCDateTime, nullable=False),
    Column("ends_at", UTCDateTime, nullable=False),
    Column("address", StorableText, nullable=False),
)

# Links that sign somebody in, once (sign_ins).
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account", StorableText, nullable=False, index=True),
    Column("ends_at", UTCDateTime, nullable=False),
)

# Attempts to sign in that failed lately, by whom they were for and where they came from (sign_ins).
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject", StorableText, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", UTCDateTime, nullable=False),
)

# Sign-ins by a provider that were done, so that none is done twice (sign_ins).
used_sign_in = Table(
    "used_sign_in",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("ends_at", UTCDateTime, nullable=False),
)

# Programs that may use the API, each by a token of which the digest is kept (api_tokens).
api_token = Table(
    "api_token",
    metadata,
    Column("name", StorableText, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("connections", Json(), nullable=False),
    Column("made_at", UTCDateTime, nullable=False),
    Column("made_by", StorableText, nullable=False),
    Column("ends_at", UTCDateTime, nullable=False),
    Column("used_at", UTCDateTime),
    Column("revoked_at", UTCDateTime),
)

# Acts of programs that named a key, with the answer, so that none is done twice (kept_answers).
kept_answer = Table(
    "kept_answer",
    metadata,
    Column("token", StorableText, primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("at", UTCDateTime, nullable=False, index=True),
    Column("status", Integer),
    Column("body", StorableText),
)

# What operators did, each row with a digest over it and the one before (audit).
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("actor", StorableText, nullable=False),
    Column("action", StorableText, nullable=False),
    Column("subject", StorableText, nullable=False),
    Column("detail", Json(lenient=True), nullable=False),
    Column("digest", String(64)),
    Index("ix_audit_action", "action"),
)
