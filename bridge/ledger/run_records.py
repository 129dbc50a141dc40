"""Runs: the stored progress of scheduled and long jobs, from which the next due time follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, TypedDict

from sqlalchemy import (
    ColumnElement,
    String,
    Table,
    Update,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from bridge.core.model.lanes import LANES
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.tables import attempt, create_intent, run, work
from bridge.ledger.work import WorkRow

ABANDONED_AFTER = timedelta(hours=1)
"""A run without progress for this long is given up, and the next one may begin."""

_ABANDONED = "abandoned"
"""The beginning of such a run's error."""

PUT_BACK = "the ledger was put back meanwhile"
"""The error of runs that a restore has ended: nothing failed, and they are begun anew."""

STOPPED = "stopped by an admin"
"""The error of a run that was ended before it was through: nothing failed, and it goes on no more.
"""


DifferenceKind = Literal["changed", "new", "absent", "owed"]
"""How a row of a listing differs from the ledger: see `drift_findings.Drifted.kind`."""

RunFigures = TypedDict(
    "RunFigures",
    {
        # Of every walk through a listing.
        "pages": int,
        # Rows that show no record (a text, no id), and the first of them in words.
        "unreadable": int,
        "unreadable_rows": list[str],
        # Of a reconciliation: how many rows differed, by kind, and how many did not.
        "changed": int,
        "new": int,
        "absent": int,
        "owed": int,
        "unchanged": int,
        # Why records that the listing lacks were left aside.
        "absences": str,
        # Of a report, which stores no drift: the first differences.
        "found": list[dict[str, Any]],
        # Of an import: how many records its runs may make together, which runs these are, and the
        # work that earlier ones left undone.
        "max_creates": int,
        "import": list[int],
        "carried over": int,
        # Of an undo: the run that it takes back, and the last entry of all timelines before it.
        "undoes": int,
        "timeline": int,
        # Of a change of the mappings: how many links it goes through, how many writes were
        # confirmed, how many links were left alone, the revision that it has put in force, and the
        # runs that write first to links that it goes through.
        "links": int,
        "planned": int,
        "left alone": int,
        "mapping_revision": int,
        "comes_after": list[int],
    },
    total=False,
)
"""What a run counted and remarked, kept as JSON in `run.figures`. A count that is missing is 0."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run."""

    id: int
    kind: str
    connection: str
    entity: str
    due: datetime
    started_at: datetime
    progress_at: datetime
    finished_at: datetime | None
    paused_at: datetime | None
    """Since when nothing of it goes on, for an admin has paused it."""
    cursor: Any
    seen: int
    hinted: int
    error: str
    figures: RunFigures


def begin(
    tx: Tx, *, kind: str, connection: str, entity: str, due: datetime, now: datetime
) -> int | None:
    """Begin a run and return its id; None when one of its kind is under way.

    An old run without progress is given up only if it has no work left: a run that waits for its
    connection goes on later.
    """
    of = {"of_kind": kind, "of_connection": connection, "of_entity": entity}
    tx.execute(_GIVE_UP, of | {"now": now, "silent_since": now - ABANDONED_AFTER})
    new = {"kind": kind, "connection": connection, "entity": entity}
    times = {"due": due, "started_at": now, "progress_at": now}
    return tx.execute(_begin(tx.dialect.name), new | times).scalar()


_SAME = (
    run.c.kind == bindparam("of_kind"),
    run.c.connection == bindparam("of_connection"),
    run.c.entity == bindparam("of_entity"),
)
_IS_PART = and_(work.c.run_id == run.c.id, work.c.key.startswith("remap:"))
_HAS_WORK = exists().where(
    or_(work.c.key == "reconcile:" + cast(run.c.id, String), _IS_PART), work.c.parked_at.is_(None)
)
_GIVE_UP = (
    update(run)
    .where(
        *_SAME,
        run.c.finished_at.is_(None),
        run.c.progress_at <= bindparam("silent_since"),
        ~_HAS_WORK,
    )
    .values(finished_at=bindparam("now"), error=f"{_ABANDONED}: no progress for an hour")
)


@cache
def _begin(dialect: str) -> ReturningInsert[Any]:
    return insert_for(dialect, run).on_conflict_do_nothing().returning(run.c.id)


def progress(
    tx: Tx,
    run_id: int,
    *,
    cursor: Any,
    seen: int,
    hinted: int,
    now: datetime,
    figures: RunFigures | None = None,
) -> None:
    """Store a checkpoint: where to go on, and how much was seen since the last one.

    What made an earlier try fail is over with that.
    """
    changes = {"new_cursor": cursor, "new_figures": figures}
    given = {name: value for name, value in changes.items() if value is not None}
    counted = {"of": run_id, "now": now, "more_seen": seen, "more_hinted": hinted}
    tx.execute(_progress(*given), counted | given)


@cache
def _progress(*given: str) -> Update:
    more: dict[str, Any] = {name.removeprefix("new_"): bindparam(name) for name in given}
    counts = {
        "seen": run.c.seen + bindparam("more_seen"),
        "hinted": run.c.hinted + bindparam("more_hinted"),
    }
    checkpoint = {"progress_at": bindparam("now"), "error": ""}
    return update(run).where(run.c.id == bindparam("of")).values(checkpoint | counts | more)


def set_figures(tx: Tx, run_id: int, figures: RunFigures) -> None:
    """Store what a run counted and remarked, in place of what was stored of that."""
    tx.execute(update(run).where(run.c.id == run_id).values(figures=figures))


def add_to_figures(tx: Tx, run_id: int, more: Mapping[str, int]) -> None:
    """Add to counts of a run, whoever else adds to them at the same time."""
    if not any(more.values()):
        return
    # Figures are one text: the run is locked before they are read.
    locked = select(run.c.figures).where(run.c.id == run_id).with_for_update()
    figures: dict[str, Any] = tx.execute(locked).scalar() or {}
    added = {name: figures.get(name, 0) + count for name, count in more.items()}
    tx.execute(update(run).where(run.c.id == run_id).values(figures=figures | added))


def add_to_comes_after(tx: Tx, run_id: int, others: Collection[int]) -> None:
    """Note that a run goes on only behind what other runs write, whoever else notes it."""
    locked = select(run.c.figures).where(run.c.id == run_id).with_for_update()
    figures: RunFigures = tx.execute(locked).scalar() or RunFigures()
    known = {*figures.get("comes_after", ()), *others}
    set_figures(tx, run_id, {**figures, "comes_after": sorted(known)})


def extend_claim(
    tx: Tx, row: WorkRow, owner: str, payload: dict[str, Any], until: datetime
) -> bool:
    """Extend the claim on a run's work and store its payload; False if another worker has it."""
    mine = {"of": row.id, "owner": owner}
    return tx.execute(_EXTEND, mine | {"new_payload": payload, "until": until}).rowcount == 1


_EXTEND = (
    update(work)
    .where(work.c.id == bindparam("of"), work.c.claimed_by == bindparam("owner"))
    .values(
        payload=bindparam("new_payload"),
        claimed_until=bindparam("until"),
        attempts=0,
        lane=LANES.index("reconcile"),
    )
)


def forget_cursor(tx: Tx, run_id: int) -> None:
    """Delete a run's cursor, so that no later run goes on from it."""
    tx.execute(update(run).where(run.c.id == run_id).values(cursor=None))


def note_failure(tx: Tx, run_id: int, why: str) -> None:
    """Store why a try of a run failed that is tried again."""
    under_way = update(run).where(run.c.id == run_id, run.c.finished_at.is_(None))
    tx.execute(under_way.values(error=why))


def store_outcome(
    tx: Tx, *, kind: str, connection: str, entity: str, now: datetime, error: str
) -> None:
    """Store how a duty ended that is no run of its own: a failure, or the first success after one.

    So it is shown like a failing run, and what always works leaves no rows.
    """
    before = last(tx, kind=kind, connection=connection, entity=entity)
    if error or (before is not None and before.error):
        run_id = begin(tx, kind=kind, connection=connection, entity=entity, due=now, now=now)
        if run_id is not None:
            finish(tx, run_id, now, error=error)


def finish(tx: Tx, run_id: int, now: datetime, *, error: str = "") -> None:
    """End a run; `error` says why if it failed."""
    tx.execute(_FINISH, {"of": run_id, "now": now, "why": error})


def stop(tx: Tx, run_id: int, now: datetime) -> None:
    """End a run that is not to go on, be it paused or with its last work still to be done."""
    ended = {"finished_at": func.coalesce(run.c.finished_at, now), "error": STOPPED}
    tx.execute(update(run).where(run.c.id == run_id).values(ended | {"paused_at": None}))


_FINISH = (
    update(run)
    .where(run.c.id == bindparam("of"), run.c.finished_at.is_(None))
    .values(finished_at=bindparam("now"), error=bindparam("why"))
)
_GET = select(run).where(run.c.id == bindparam("of"))


def get(tx: Tx, run_id: int) -> RunRow | None:
    """Return one run."""
    row = tx.execute(_GET, {"of": run_id}).first()
    return None if row is None else row_of(row)


def is_limited(tx: Tx, run_id: int) -> bool:
    """Return whether a run may make so many records and no more."""
    run = get(tx, run_id)
    return run is not None and run.figures.get("max_creates") is not None


def last(tx: Tx, *, kind: str, connection: str, entity: str) -> RunRow | None:
    """Return the newest run of a kind, finished or not."""
    of_kind = select(run).where(
        run.c.kind == kind, run.c.connection == connection, run.c.entity == entity
    )
    row = tx.execute(of_kind.order_by(run.c.id.desc()).limit(1)).first()
    return None if row is None else row_of(row)


def last_whole(tx: Tx, *, kind: str, connection: str, entity: str) -> RunRow | None:
    """Return the newest run of a kind that ended without an error."""
    of_kind = select(run).where(
        run.c.kind == kind, run.c.connection == connection, run.c.entity == entity
    )
    succeeded = of_kind.where(run.c.finished_at.is_not(None), run.c.error == "")
    row = tx.execute(succeeded.order_by(run.c.id.desc()).limit(1)).first()
    return None if row is None else row_of(row)


def first_whole(
    tx: Tx, *, kinds: Collection[str], connection: str, entity: str, since: datetime
) -> datetime | None:
    """Return when the first of some runs that began since then ended without an error."""
    ended = select(func.min(run.c.finished_at)).where(
        run.c.kind.in_(kinds),
        run.c.connection == connection,
        run.c.entity == entity,
        run.c.started_at >= since,
        run.c.error == "",
    )
    return tx.execute(ended).scalar()


def newest(tx: Tx) -> dict[tuple[str, str, str], RunRow]:
    """Return the newest run of each kind, connection and entity."""
    groups = (run.c.kind, run.c.connection, run.c.entity)
    latest = select(func.max(run.c.id)).group_by(*groups)
    rows = tx.execute(select(run).where(run.c.id.in_(latest)))
    return {(row.kind, row.connection, row.entity): row_of(row) for row in rows}


def callers(tx: Tx) -> set[str]:
    """Return the connections that some run has certainly called."""
    ended = and_(run.c.finished_at.is_not(None), ~run.c.error.startswith(_ABANDONED))
    called = select(run.c.connection).where(or_(ended, run.c.seen > 0)).distinct()
    return set(tx.execute(called).scalars())


def begun(tx: Tx) -> dict[tuple[str, str], datetime]:
    """Return when the oldest stored run of each connection and entity began."""
    oldest = select(run.c.connection, run.c.entity, func.min(run.c.started_at)).group_by(
        run.c.connection, run.c.entity
    )
    return {(connection, entity): at for connection, entity, at in tx.execute(oldest)}


def watermark(tx: Tx, connection: str, entity: str) -> Any:
    """Return the cursor from which the next poll goes on; None before the first."""
    of = {"of_kind": "poll", "of_connection": connection, "of_entity": entity}
    return tx.execute(_WATERMARK, of).scalar()


_WATERMARK = (
    select(run.c.cursor).where(*_SAME, run.c.cursor.is_not(None)).order_by(run.c.id.desc()).limit(1)
)


def recent(
    tx: Tx, limit: int = 20, *, before: int | None = None, kinds: Collection[str] = ()
) -> list[RunRow]:
    """Return runs, newest first: those before a number, and of some kinds, if such are given."""
    rows = select(run).order_by(run.c.id.desc()).limit(limit)
    if before is not None:
        rows = rows.where(run.c.id < before)
    if kinds:
        rows = rows.where(run.c.kind.in_(kinds))
    return [row_of(row) for row in tx.execute(rows)]


def notable(tx: Tx, limit: int, waits_since: datetime) -> list[RunRow]:
    """Return the runs worth showing, newest first.

    The newest of all is always there, then those that were begun before `waits_since` and have not
    ended; then those that wrote something have precedence over those that found something or
    failed.
    """
    by_age = select(run).order_by(run.c.id.desc())
    wrote = or_(*(_any_of(table) for table in (attempt, create_intent)))
    waits = and_(run.c.finished_at.is_(None), run.c.started_at < waits_since)
    chosen = [*tx.execute(by_age.limit(1)), *tx.execute(by_age.where(waits).limit(limit))]
    chosen += tx.execute(by_age.where(wrote).limit(limit))
    chosen += tx.execute(by_age.where(or_(run.c.hinted > 0, run.c.error != "")).limit(limit))
    by_id = {row.id: row for row in chosen}
    shown = list(by_id)[:limit]
    return [row_of(by_id[run_id]) for run_id in sorted(shown, reverse=True)]


def _any_of(table: Table) -> ColumnElement[bool]:
    """Return the condition that a table has any row of the run.

    As a value that is there or not: PostgreSQL would gather all runs of an `exists` beforehand.
    """
    row = select(literal(1)).where(table.c.run_id == run.c.id).limit(1)
    return row.scalar_subquery().is_not(None)


def prune(tx: Tx, before: datetime) -> int:
    """Delete runs that ended before a time, but not the newest of each kind and watermarks."""
    groups = (run.c.kind, run.c.connection, run.c.entity)
    newest = select(func.max(run.c.id)).group_by(*groups)
    watermarks = select(func.max(run.c.id)).where(run.c.cursor.is_not(None)).group_by(*groups)
    old = delete(run).where(
        run.c.finished_at < before,
        run.c.paused_at.is_(None),
        run.c.id.not_in(newest),
        run.c.id.not_in(watermarks),
    )
    return tx.execute(old).rowcount


def row_of(row: Any) -> RunRow:
    """Return a run as it is stored."""
    return RunRow(
        id=row.id,
        kind=row.kind,
        connection=row.connection,
        entity=row.entity,
        due=row.due,
        started_at=row.started_at,
        progress_at=row.progress_at,
        finished_at=row.finished_at,
        paused_at=row.paused_at,
        cursor=row.cursor,
        seen=row.seen,
        hinted=row.hinted,
        error=row.error,
        figures=row.figures or RunFigures(),
    )
