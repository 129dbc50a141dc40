"""What there is to tell of: what no notice has told of yet, found by a mark on each row.

A mark, and no place in an order: on PostgreSQL a transaction may commit a row whose number or time
is older than what was looked at before, and whoever goes on from there never sees it. What is over
before anybody was told of it loses its condition, and is not told of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Select, Table, func, select, update

from bridge.core.model.lanes import LANES
from bridge.core.model.notice_types import SAMPLES
from bridge.core.model.outcome_codes import Code, of_cause
from bridge.ledger import drift_findings, parking
from bridge.ledger.database import Tx, one_of
from bridge.ledger.notice_tables import CONFLICT_UNTOLD, PARKED_UNTOLD, RUN_UNTOLD
from bridge.ledger.run_records import RunRow, row_of
from bridge.ledger.tables import conflict, drift, link, run, work
from bridge.ledger.work import HELD_UNTIL
from bridge.ledger.work_kinds import RECORD_KINDS

MOST_MARKED: Final = 20_000
"""Rows that one notice tells of; what is beyond them waits for the next."""
MOST_RUNS: Final = 200
MOST_WAITING: Final = 50_000
"""So much work is looked at for tickets that wait."""
URGENT: Final = LANES.index("reconcile")
"""Lanes before this one are work that nobody expects to take long."""


@dataclass(frozen=True, slots=True)
class UntoldGroup:
    """Rows of one cause."""

    connection: str
    """Or the sync, where it is one that they have in common."""
    subject: str
    """The outcome code, or the field."""
    count: int
    since: datetime
    tickets: list[str]


@dataclass(frozen=True, slots=True)
class WaitingTickets:
    """Tickets that wait for long to be brought level at a connection."""

    count: int
    since: datetime
    tickets: list[str]


def any_untold(tx: Tx) -> bool:
    """Return whether anything may be to tell of, in one look."""
    looks = [
        select(table.c.id).where(untold).limit(1)
        for table, untold in (
            (work, PARKED_UNTOLD),
            (conflict, CONFLICT_UNTOLD),
            (run, RUN_UNTOLD),
        )
    ]
    return any(tx.execute(look).first() is not None for look in looks)


def parked_groups(tx: Tx) -> list[tuple[str, Code]]:
    """Return of which connections and causes work was set aside that nobody was told of."""
    by = (work.c.connection, work.c.parked_cause)
    rows = tx.execute(select(*by).where(PARKED_UNTOLD).group_by(*by).order_by(*by))
    return list(dict.fromkeys((connection, of_cause(cause)) for connection, cause in rows))


def tell_parked(tx: Tx, connection: str, code: Code) -> UntoldGroup | None:
    """Mark the work of such a group as told of, and return it; None: others were quicker."""
    since = func.coalesce(work.c.parked_since, work.c.parked_at).label("since")
    rows = select(work.c.id, work.c.link_id, since).where(
        PARKED_UNTOLD, work.c.connection == connection, parking.has_code(code)
    )
    found = _locked(tx, rows, work.c.id)
    _mark(tx, work, [row.id for row in found], {"noticed": work.c.parked_cause})
    return _group(connection, str(code), found)


def conflict_groups(tx: Tx) -> list[tuple[str, str]]:
    """Return of which syncs and fields conflicts were opened that nobody was told of."""
    by = (link.c.sync, conflict.c.field)
    rows = select(*by).join(conflict, conflict.c.link_id == link.c.id).where(CONFLICT_UNTOLD)
    return [tuple(row) for row in tx.execute(rows.group_by(*by).order_by(*by))]


def tell_conflicts(tx: Tx, sync: str, field: str) -> UntoldGroup | None:
    """Mark the conflicts of such a group as told of, and return it; None: others were quicker."""
    of_sync = conflict.c.link_id.in_(select(link.c.id).where(link.c.sync == sync))
    rows = select(conflict.c.id, conflict.c.link_id, conflict.c.opened_at.label("since")).where(
        CONFLICT_UNTOLD, conflict.c.field == field, of_sync
    )
    found = _locked(tx, rows, conflict.c.id)
    _mark(tx, conflict, [row.id for row in found], {"noticed": True})
    return _group(sync, field, found)


def tell_runs(tx: Tx) -> list[RunRow]:
    """Mark runs that ended as told of, and return them, the oldest first."""
    rows = _locked(tx, select(run).where(RUN_UNTOLD), run.c.id, MOST_RUNS)
    _mark(tx, run, [row.id for row in rows], {"noticed": True})
    return [row_of(row) for row in rows]


def _locked(tx: Tx, rows: Select[Any], key: Column[Any], most: int = MOST_MARKED) -> list[Any]:
    """Return rows that nobody else is changing; what somebody is changing can wait."""
    # Skipped, for waiting in another order than a worker's would end in a deadlock.
    statement = rows.order_by(key).limit(most).with_for_update(skip_locked=True, of=key.table)
    return list(tx.execute(statement))


def _mark(tx: Tx, table: Table, ids: Collection[int], mark: Mapping[str, Any]) -> None:
    if ids:
        marked = update(table).where(one_of(tx.dialect.name, table.c.id)).values(mark)
        tx.execute(marked, {"ids": list(ids)})


def _group(connection: str, subject: str, found: list[Any]) -> UntoldGroup | None:
    if not found:
        return None
    named = dict.fromkeys(row.link_id for row in found if row.link_id is not None)
    since = min(row.since for row in found)
    return UntoldGroup(connection, subject, len(found), since, list(named)[:SAMPLES])


def count_parked(tx: Tx, connection: str, code: Code) -> int:
    """Count the work of a connection that is set aside with this code."""
    of = (work.c.parked_at.is_not(None), work.c.connection == connection, parking.has_code(code))
    return tx.execute(select(func.count()).select_from(work).where(*of)).scalar_one()


def count_conflicts(tx: Tx, sync: str, field: str) -> int:
    """Count the open conflicts of a field."""
    rows = select(func.count()).select_from(conflict).join(link, link.c.id == conflict.c.link_id)
    of = (conflict.c.closed_at.is_(None), conflict.c.field == field, link.c.sync == sync)
    return tx.execute(rows.where(*of)).scalar_one()


def failed_before(tx: Tx, ended: RunRow) -> bool:
    """Return whether the run before one of its kind failed as well."""
    rows = select(run.c.error).where(
        run.c.kind == ended.kind,
        run.c.connection == ended.connection,
        run.c.entity == ended.entity,
        run.c.id < ended.id,
        run.c.finished_at.is_not(None),
    )
    return bool(tx.execute(rows.order_by(run.c.id.desc()).limit(1)).scalar())


def count_drift(tx: Tx, run_id: int) -> tuple[int, int]:
    """Return how many records a run found to differ, and of how many a webhook had to tell."""
    rows = select(drift.c.why, func.count()).where(drift.c.run_id == run_id).group_by(drift.c.why)
    counts: dict[str, int] = dict(tx.execute(rows).all())
    counts.pop(drift_findings.UNSEEN, None)  # a first listing is no comparison
    return sum(counts.values()), counts.get(drift_findings.SILENT, 0)


def waiting_tickets(tx: Tx, now: datetime, longer_than: timedelta) -> dict[str, WaitingTickets]:
    """Return by connection the tickets that wait longer than that.

    What goes at an import's pace does not count, nor what is held for an operator.
    """
    rows = (
        select(work.c.connection, work.c.link_id, work.c.key, work.c.created_at)
        .where(
            work.c.parked_at.is_(None),
            work.c.lane < URGENT,
            work.c.kind.in_(RECORD_KINDS),
            work.c.run_id.is_(None),
            work.c.created_at <= now - longer_than,
            work.c.due_at < HELD_UNTIL,
        )
        .limit(MOST_WAITING)
        .subquery()
    )
    by_connection: dict[str, dict[str, Any]] = {}
    for row in tx.execute(select(rows).order_by(rows.c.created_at)):
        by_connection.setdefault(row.connection, {}).setdefault(row.link_id or row.key, row)
    return {
        connection: WaitingTickets(
            len(found),
            min(row.created_at for row in found.values()),
            [row.link_id for row in found.values() if row.link_id is not None][:SAMPLES],
        )
        for connection, found in by_connection.items()
    }
