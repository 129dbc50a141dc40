"""Who did what through the bridge, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.ledger import audit
from bridge.ledger.audit import AuditChain
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class Act:
    """An act of an operator. Its fields are the keys of `bridge audit --json`."""

    id: int
    at: datetime
    actor: str
    """`local:` and this machine's account, `user:` and who was signed in, `token:` and its name."""
    action: str
    subject: str
    """What it was done to."""
    detail: Mapping[str, Any]


def acts(
    desk: Desk,
    *,
    limit: int,
    before: int | None = None,
    actor: str = "",
    action: str = "",
    subject: str = "",
) -> list[Act]:
    """Return the newest acts, newest first, by the filters of `ledger.audit.recent`."""
    with desk.ledger.read() as tx:
        rows = audit.recent(tx, limit, before=before, actor=actor, action=action, subject=subject)
    return [Act(**row) for row in rows]


def verify(desk: Desk) -> AuditChain:
    """Go through all acts, and say whether each fits those before it."""
    with desk.ledger.snapshot() as tx:
        return audit.verify(tx)
