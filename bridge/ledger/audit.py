"""The audit log: what operators did through the bridge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bridge.ledger.database import Tx
from bridge.ledger.tables import audit


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
    values = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": dict(detail or {}),
    }
    tx.execute(audit.insert().values(values))


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
    newest = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        newest = newest.where(audit.c.id < before)
    if actor:
        newest = newest.where(audit.c.actor == actor)
    if action:
        newest = newest.where(audit.c.action.startswith(action, autoescape=True))
    if subject:
        newest = newest.where(audit.c.subject.contains(subject, autoescape=True))
    return [dict(row) for row in tx.execute(newest).mappings()]
