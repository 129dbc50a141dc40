"""The audit log: what operators did through the bridge.

Each row's digest is made of the row and of the digest before it. So whoever changes a row, takes
one out or puts one in must make all that follow anew, the newest one among them, which others may
have written down (`bridge audit verify` shows it). Rows of older versions have none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select

from bridge.ledger import value_codec
from bridge.ledger.columns import as_text
from bridge.ledger.database import Tx, advisory_lock
from bridge.ledger.tables import audit

LOCK: Final = 0x6272_6964_6765_0A0D
"""One act at a time is added to the chain."""
PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class AuditChain:
    """What was found of the chain."""

    acts: int
    """So many hang together, from the first on."""
    earlier: int
    """So many were written before there was a chain."""
    broken_at: int | None
    """The first act that does not fit those before it; None: all do."""
    head: str
    """The digest of the newest act that fits; empty: there is none."""


def add(
    tx: Tx,
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record an action: who did what, on what."""
    advisory_lock(tx, LOCK)
    values = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": dict(detail or {}),
    }
    stored = value_codec.dumps(values["detail"], lenient=True)
    newest = select(audit.c.digest).order_by(audit.c.id.desc()).limit(1)
    before = tx.execute(newest).scalar() or ""
    digest = _digest(before, at, actor, action, subject, stored)
    tx.execute(audit.insert().values(values | {"digest": digest}))


def _digest(before: str, at: datetime, *words: str) -> str:
    """Return the digest of an act as it is stored, behind the one with the digest `before`."""
    said = [before, at.astimezone(UTC).isoformat(), *map(value_codec.storable, words)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def verify(tx: Tx) -> AuditChain:
    """Go through the whole chain, the oldest act first, and say how far it holds."""
    acts, earlier, head, after = 0, 0, "", 0
    while page := _page(tx, after):
        for row in page:
            after = row.id
            if row.digest is None and not acts:
                earlier += 1
                continue
            said = _digest(head, row.at, row.actor, row.action, row.subject, row.detail)
            if row.digest != said:
                return AuditChain(acts, earlier, row.id, head)
            acts, head = acts + 1, said
    return AuditChain(acts, earlier, None, head)


def _page(tx: Tx, after: int) -> list[Any]:
    columns = [as_text(each) if each.name == "detail" else each for each in audit.c]
    rows = select(*columns).where(audit.c.id > after).order_by(audit.c.id).limit(PAGE)
    return list(tx.execute(rows))


def recent(
    tx: Tx,
    limit: int = 100,
    *,
    before: int | None = None,
    actor: str = "",
    action: str = "",
    subject: str = "",
) -> list[dict[str, Any]]:
    """Return the newest actions, newest first: those before an id, by an actor, of a kind.

    `action` is how its name begins (`parked` for all of `parked retry` and `parked discard`),
    `subject` a part of what it was done to.
    """
    shown = (each for each in audit.c if each.name != "digest")
    newest = select(*shown).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        newest = newest.where(audit.c.id < before)
    if actor:
        newest = newest.where(audit.c.actor == actor)
    if action:
        newest = newest.where(audit.c.action.startswith(action, autoescape=True))
    if subject:
        newest = newest.where(audit.c.subject.contains(subject, autoescape=True))
    return [dict(row) for row in tx.execute(newest).mappings()]
