"""Scheduled and long jobs: what is due is computed from these rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, and_, bindparam, cast, delete, exists, func, or_, select, update

from bridge.core.model.lanes import LANES
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import attempt, create_intent, run, work
from bridge.ledger.work import WorkRow

ABANDONED = timedelta(hours=1)
"""A run without progress for this long will not go on; the next one takes its place."""


_GIVEN_UP = "abandoned"


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
    figures: dict[str, Any]


def begin(
    tx: Tx, *, kind: str, connection: str, entity: str, due: datetime, now: datetime
) -> str | None:
    """Start a run; gives its id, or None when one of its kind is under way, so that two clocks start one.

    A run without progress is given up only when no work of its is left: what waits for its
    connection goes on later.
    """
    same = (run.c.kind == kind, run.c.connection == connection, run.c.entity == entity)
    waits = exists().where(
        work.c.key == "reconcile:" + cast(run.c.id, String), work.c.parked_at.is_(None)
    )
    tx.execute(
        update(run)
        .where(*same, run.c.finished_at.is_(None), run.c.progress_at <= now - ABANDONED, ~waits)
        .values(finished_at=now, error=f"{_GIVEN_UP}: no progress for an hour")
    )
    statement = insert(tx, run).values(
        kind=kind, connection=connection, entity=entity, due=due, started_at=now, progress_at=now
    )
    row_id = tx.execute(statement.on_conflict_do_nothing().returning(run.c.id)).scalar()
    return None if row_id is None else str(row_id)


def progress(
    tx: Tx,
    run_id: str,
    *,
    cursor: Any,
    seen: int,
    hinted: int,
    now: datetime,
    figures: dict[str, Any] | None = None,
) -> None:
    """Checkpoint pages: where to go on, and what was seen on them."""
    changes: dict[str, Any] = {
        "progress_at": now,
        "seen": run.c.seen + seen,
        "hinted": run.c.hinted + hinted,
    }
    if cursor is not None:
        changes["cursor"] = cursor
    if figures is not None:
        changes["figures"] = figures
    tx.execute(update(run).where(run.c.id == int(run_id)).values(changes))


def extend_claim(
    tx: Tx, row: WorkRow, owner: str, payload: dict[str, Any], until: datetime
) -> bool:
    """Keep the claim on a run's work for longer, with where to resume; False when another worker has taken it over."""
    mine = update(work).where(work.c.id == row.id, work.c.claimed_by == owner)
    changes = {
        "payload": payload,
        "claimed_until": until,
        "attempts": 0,
        "lane": LANES.index("reconcile"),
    }
    return tx.execute(mine.values(changes)).rowcount == 1


def forget_cursor(tx: Tx, run_id: str) -> None:
    """Let no later run go on from where this one got: its cursor leads nowhere."""
    tx.execute(update(run).where(run.c.id == int(run_id)).values(cursor=None))


def finish(tx: Tx, run_id: str, now: datetime, *, error: str = "") -> None:
    """End a run, well or badly."""
    ended = update(run).where(run.c.id == int(run_id), run.c.finished_at.is_(None))
    tx.execute(ended.values(finished_at=now, error=error))


_GET = select(run).where(run.c.id == bindparam("of"))


def get(tx: Tx, run_id: str) -> RunRow | None:
    """Give one run."""
    row = tx.execute(_GET, {"of": int(run_id)}).first()
    return None if row is None else _row(row)


def last(tx: Tx, *, kind: str, connection: str, entity: str) -> RunRow | None:
    """Give the newest run of a kind, finished or not."""
    found = select(run).where(
        run.c.kind == kind, run.c.connection == connection, run.c.entity == entity
    )
    row = tx.execute(found.order_by(run.c.id.desc()).limit(1)).first()
    return None if row is None else _row(row)


def last_whole(tx: Tx, *, kind: str, connection: str, entity: str) -> RunRow | None:
    """Give the newest run of a kind that came to its end well."""
    found = select(run).where(
        run.c.kind == kind, run.c.connection == connection, run.c.entity == entity
    )
    well = found.where(run.c.finished_at.is_not(None), run.c.error == "")
    row = tx.execute(well.order_by(run.c.id.desc()).limit(1)).first()
    return None if row is None else _row(row)


def newest(tx: Tx) -> dict[tuple[str, str, str], RunRow]:
    """Give the newest run of each kind, connection and entity, in one query."""
    groups = (run.c.kind, run.c.connection, run.c.entity)
    latest = select(func.max(run.c.id)).group_by(*groups)
    rows = tx.execute(select(run).where(run.c.id.in_(latest)))
    return {(row.kind, row.connection, row.entity): _row(row) for row in rows}


def callers(tx: Tx) -> set[str]:
    """Give the connections that a run has certainly called."""
    came_to_an_end = and_(run.c.finished_at.is_not(None), ~run.c.error.startswith(_GIVEN_UP))
    return set(
        tx.execute(
            select(run.c.connection).where(or_(came_to_an_end, run.c.seen > 0)).distinct()
        ).scalars()
    )


def begun(tx: Tx) -> dict[tuple[str, str], datetime]:
    """Give the beginning of the oldest run on record of each connection and entity."""
    found = select(run.c.connection, run.c.entity, func.min(run.c.started_at)).group_by(
        run.c.connection, run.c.entity
    )
    return {(connection, entity): at for connection, entity, at in tx.execute(found)}


def watermark(tx: Tx, connection: str, entity: str) -> Any:
    """Give the cursor from which the next poll goes on; None before the first."""
    found = select(run.c.cursor).where(
        run.c.kind == "poll",
        run.c.connection == connection,
        run.c.entity == entity,
        run.c.cursor.is_not(None),
    )
    return tx.execute(found.order_by(run.c.id.desc()).limit(1)).scalar()


def recent(tx: Tx, limit: int = 20) -> list[RunRow]:
    """List runs, newest first."""
    return [_row(row) for row in tx.execute(select(run).order_by(run.c.id.desc()).limit(limit))]


def notable(tx: Tx, limit: int) -> list[RunRow]:
    """List the newest run, and before others those that wrote something, then those that found something or failed.

    Newest first.
    """
    by_age = select(run).order_by(run.c.id.desc())
    wrote = or_(*(exists().where(each.c.run_id == run.c.id) for each in (attempt, create_intent)))
    chosen = [*tx.execute(by_age.limit(1)), *tx.execute(by_age.where(wrote).limit(limit))]
    chosen += tx.execute(by_age.where(or_(run.c.hinted > 0, run.c.error != "")).limit(limit))
    by_id = {row.id: row for row in chosen}
    first = list(by_id)[:limit]
    return [_row(by_id[each]) for each in sorted(first, reverse=True)]


def prune(tx: Tx, before: datetime) -> int:
    """Forget runs that ended before that time, but never the newest of a kind, nor the one that holds the watermark."""
    groups = (run.c.kind, run.c.connection, run.c.entity)
    newest = select(func.max(run.c.id)).group_by(*groups)
    marks = select(func.max(run.c.id)).where(run.c.cursor.is_not(None)).group_by(*groups)
    old = delete(run).where(
        run.c.finished_at < before, run.c.id.not_in(newest), run.c.id.not_in(marks)
    )
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
        figures=row.figures or {},
    )
