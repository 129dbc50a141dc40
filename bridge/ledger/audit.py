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


def recent(tx: Tx, limit: int = 100) -> list[dict[str, Any]]:
    """Return the newest actions, newest first."""
    return [
        dict(row)
        for row in tx.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).mappings()
    ]
