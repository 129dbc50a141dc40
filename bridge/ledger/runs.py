"""Scheduled and long jobs: what is due is computed from these rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from bridge.ledger.session import Tx, insert
from bridge.ledger.tables import run

ABANDONED = timedelta(hours=1)
"""A run without progress for this long will not go on; the next one takes its place."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    id: str
    kind: str
    connection: str
    entity: str
    due: datetime
    started_at: datetime
    progress_at: datetime
    finished_at: datetime | None
    cursor: Any
    seen: int
    hinted: int
    error: str


def begin(tx: Tx, *, kind: str, connection: str, entity: str, due: datetime, now: datetime) -> str | None:
    """Start a run; gives its id, or None when one of its kind is under way, so that two clocks start one."""
    same = (run.c.kind == kind, run.c.connection == connection, run.c.entity == entity)
    tx.execute(
        update(run)
        .where(*same, run.c.finished_at.is_(None), run.c.progress_at <= now - ABANDONED)
        .values(finished_at=now, error="abandoned: no progress for an hour")
    )
    statement = insert(tx, run).values(
        kind=kind, connection=connection, entity=entity, due=due, started_at=now, progress_at=now
    )
    row_id = tx.execute(statement.on_conflict_do_nothing().returning(run.c.id)).scalar()
    return None if row_id is None else str(row_id)


def progress(tx: Tx, run_id: str, *, cursor: Any, seen: int, hinted: int, now: datetime) -> None:
    """Checkpoint a page: where to go on, and what was seen on it."""
    changes = {"progress_at": now, "seen": run.c.seen + seen, "hinted": run.c.hinted + hinted}
    if cursor is not None:
        changes["cursor"] = cursor
    tx.execute(update(run).where(run.c.id == int(run_id)).values(changes))


def finish(tx: Tx, run_id: str, now: datetime, *, error: str = "") -> None:
    """End a run, well or badly."""
    ended = update(run).where(run.c.id == int(run_id), run.c.finished_at.is_(None))
    tx.execute(ended.values(finished_at=now, error=error))


def get(tx: Tx, run_id: str) -> RunRow | None:
    """Give one run."""
    row = tx.execute(select(run).where(run.c.id == int(run_id))).first()
    return None if row is None else _row(row)


def last(tx: Tx, *, kind: str, connection: str, entity: str) -> RunRow | None:
    """Give the newest run of a kind, finished or not."""
    found = select(run).where(run.c.kind == kind, run.c.connection == connection, run.c.entity == entity)
    row = tx.execute(found.order_by(run.c.id.desc()).limit(1)).first()
    return None if row is None else _row(row)


def watermark(tx: Tx, connection: str, entity: str) -> Any:
    """Give the cursor from which the next poll goes on; None before the first."""
    found = select(run.c.cursor).where(
        run.c.kind == "poll", run.c.connection == connection, run.c.entity == entity, run.c.cursor.is_not(None)
    )
    return tx.execute(found.order_by(run.c.id.desc()).limit(1)).scalar()


def recent(tx: Tx, limit: int = 20) -> list[RunRow]:
    """List runs, newest first."""
    return [_row(row) for row in tx.execute(select(run).order_by(run.c.id.desc()).limit(limit))]


def prune(tx: Tx, before: datetime) -> int:
    """Forget runs that ended before that time, but never the newest of a kind, nor the one that holds the watermark."""
    groups = (run.c.kind, run.c.connection, run.c.entity)
    newest = select(func.max(run.c.id)).group_by(*groups)
    marks = select(func.max(run.c.id)).where(run.c.cursor.is_not(None)).group_by(*groups)
    old = delete(run).where(run.c.finished_at < before, run.c.id.not_in(newest), run.c.id.not_in(marks))
    return tx.execute(old).rowcount


def _row(row: Any) -> RunRow:
    return RunRow(
        id=str(row.id),
        kind=row.kind,
        connection=row.connection,
        entity=row.entity,
        due=row.due,
        started_at=row.started_at,
        progress_at=row.progress_at,
        finished_at=row.finished_at,
        cursor=row.cursor,
        seen=row.seen,
        hinted=row.hinted,
        error=row.error,
    )
