"""Forgetting what tickets went through long ago: timelines, and writes, creates and conflicts that are over.

Tables are walked in the order of their primary keys, which is that of time but for what stays, so
no other index is needed and every transaction is short.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Table, and_, delete, func, or_, select, true

from bridge.ledger.database import Tx
from bridge.ledger.intents import NOT_FOUND
from bridge.ledger.tables import attempt, conflict, create_intent, journal, run

BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class PrunableTable:
    """A table of which old rows are forgotten."""

    key: Column[int]
    began: Column[Any]
    over: Column[Any]
    """When a row came to its end; rows that have none stay."""
    idle: ColumnElement[bool]
    """Says of a row that nothing needs it any more; the others stay, however old they are."""


def _unasked(table: Table) -> ColumnElement[bool]:
    """Say that no run on record has asked for it: as long as a run is known it can be undone."""
    return or_(table.c.run_id.is_(None), table.c.run_id.not_in(select(run.c.id)))


PRUNABLE: Final = (
    PrunableTable(journal.c.id, journal.c.at, journal.c.at, true()),
    PrunableTable(conflict.c.id, conflict.c.opened_at, conflict.c.closed_at, true()),
    PrunableTable(attempt.c.number, attempt.c.opened_at, attempt.c.closed_at, _unasked(attempt)),
    PrunableTable(
        create_intent.c.number,
        create_intent.c.opened_at,
        create_intent.c.closed_at,
        # Creates that came to nothing count against the link's next one (intents.failures).
        and_(_unasked(create_intent), create_intent.c.outcome != NOT_FOUND),
    ),
)


def prune(
    tx: Tx, past: PrunableTable, before: datetime, after: int = 0, limit: int = BATCH
) -> tuple[int, int | None]:
    """Forget what was over before that time, among the next rows after a key.

    Gives how many rows went, and the key to go on from; None when all that is old enough was looked
    at.
    """
    table = past.key.table
    page = select(past.key.label("key"), past.began.label("began")).where(past.key > after)
    rows = page.order_by(past.key).limit(limit).subquery()
    last, first = tx.execute(select(func.max(rows.c.key), func.min(rows.c.began))).one()
    if last is None or first >= before:
        return 0, None
    old = delete(table).where(past.key > after, past.key <= last, past.over < before, past.idle)
    return tx.execute(old).rowcount, last
