"""Deletes the old history of tickets: timelines, and finished writes, creates and conflicts.

Tables are walked in the order of their primary keys, which is nearly the order of time. So no other
index is needed, and every transaction is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, and_, delete, func, or_, select, true

from bridge.core.model.markers import EARLIER_MARKER_CHARS
from bridge.ledger.database import Tx
from bridge.ledger.intents import NOT_FOUND
from bridge.ledger.tables import attempt, conflict, create_intent, journal, run

BATCH: Final = 2000
"""Rows looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class PrunableTable:
    """A table whose old rows are deleted."""

    key: Column[int]
    began: Column[Any]
    over: Column[Any]
    """When a row came to its end; a row without an end stays."""
    unneeded: ColumnElement[bool]
    """The condition that nothing needs a row any more; other rows stay, however old."""


def _of_no_run(table: Table) -> ColumnElement[bool]:
    """Return the condition that no stored run asked for a row: a stored run can be undone."""
    return or_(table.c.run_id.is_(None), table.c.run_id.not_in(select(run.c.id)))


PRUNABLE: Final = (
    PrunableTable(journal.c.id, journal.c.at, journal.c.at, true()),
    PrunableTable(conflict.c.id, conflict.c.opened_at, conflict.c.closed_at, true()),
    PrunableTable(attempt.c.number, attempt.c.opened_at, attempt.c.closed_at, _of_no_run(attempt)),
    PrunableTable(
        create_intent.c.number,
        create_intent.c.opened_at,
        create_intent.c.closed_at,
        # Failed creates still count: after some of them the link is given up (intents.failures).
        # Markers of earlier versions are known by their create alone.
        and_(
            _of_no_run(create_intent),
            create_intent.c.outcome != NOT_FOUND,
            func.length(create_intent.c.marker) != EARLIER_MARKER_CHARS,
        ),
    ),
)


def prune(
    tx: Tx, prunable: PrunableTable, before: datetime, after: int = 0, limit: int = BATCH
) -> tuple[int, int | None]:
    """Delete what was over before that time among the next `limit` rows after a key.

    Returns how many rows were deleted, and the key to go on from; None when all old rows were
    looked at.
    """
    key = prunable.key
    page = select(key.label("key"), prunable.began.label("began")).where(key > after)
    rows = page.order_by(key).limit(limit).subquery()
    last_key, oldest = tx.execute(select(func.max(rows.c.key), func.min(rows.c.began))).one()
    if last_key is None or oldest >= before:
        return 0, None
    old = delete(key.table).where(
        key > after, key <= last_key, prunable.over < before, prunable.unneeded
    )
    return tx.execute(old).rowcount, last_key
