"""Outstanding work, as somebody asks who looks at one record or one connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bridge.ledger.database import Tx
from bridge.ledger.tables import work


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """How a piece of work that is outstanding is."""

    due_at: datetime
    attempts: int
    last_error: str
    parked_why: str | None
    """None: it is not parked."""


def of_key(tx: Tx, key: str) -> WaitingWork | None:
    """Return how the work of a key is; None: nothing of it is outstanding."""
    row = tx.execute(select(work).where(work.c.key == key)).first()
    if row is None:
        return None
    why = None if row.parked_at is None else row.parked_why
    return WaitingWork(row.due_at, row.attempts, row.last_error, why)


def count(tx: Tx, connection: str) -> tuple[int, int]:
    """Count the rows of a connection that wait or are in hand, and those that are parked."""
    counted = select(work.c.parked_at.is_not(None), func.count())
    rows = counted.where(work.c.connection == connection).group_by(work.c.parked_at.is_not(None))
    by_parked = {bool(parked): number for parked, number in tx.execute(rows)}
    return by_parked.get(False, 0), by_parked.get(True, 0)
