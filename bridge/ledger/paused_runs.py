"""Runs that an admin has paused: none of their own work is done until they are resumed.

Their rows of work get a due time that never comes, so a paused run costs the claims nothing. What a
webhook or a human's edit asks for is no work of the run, also where the row is the same: it goes up
to a more urgent lane, and is looked at; where nothing but the run's own writes is due, it is held
again. So is a record that the run has still to make, where a comparison or a poll comes upon its
ticket: that would carry out all that is held, and no edit is lost with what is not there yet.

The parts of a change of the mappings go on: they write to the ledger alone, and a ticket that they
have gone through is known to be the run's.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, update

from bridge.core.model.lanes import LANES
from bridge.ledger import run_writes, work
from bridge.ledger.database import Tx
from bridge.ledger.tables import run
from bridge.ledger.tables import work as rows
from bridge.ledger.work import HELD_UNTIL, WorkRow

LANE: Final = "backfill"
"""The lane of what runs ask for that can be paused; in any other, others have asked for it."""
BY_COMPARISONS: Final = "reconcile"
"""The lane of what comparisons and polls ask for."""
LISTING: Final = "reconcile:"
"""The key of a listing is this, and its run."""
PARTS: Final = "remap:"
"""The keys of the parts of a change of the mappings begin so, followed by the run and a number."""


def run_of(row: WorkRow) -> int | None:
    """Return the run for which alone a row of work is there; None: others have asked for it."""
    if row.key.startswith(LISTING):
        return int(row.key.split(":")[1])
    is_own = row.lane == LANE or (row.lane == BY_COMPARISONS and row.kind == "create")
    return row.run_id if is_own and not row.key.startswith(PARTS) else None


def goes_by(row: WorkRow, paused: Collection[int]) -> bool:
    """Return whether a row of work is there for one of these runs alone."""
    return bool(paused) and run_of(row) in paused


def listed(tx: Tx) -> list[int]:
    """Return the runs that are paused."""
    return list(tx.execute(select(run.c.id).where(run.c.paused_at.is_not(None))).scalars())


def is_paused(tx: Tx, run_id: int) -> bool:
    """Return whether a run is paused, and lock it: it stays so until the transaction ends."""
    locked = select(run.c.paused_at).where(run.c.id == run_id).with_for_update()
    return tx.execute(locked).scalar() is not None


def hold(tx: Tx, row: WorkRow, owner: str, now: datetime) -> bool:
    """Give a claimed row of a paused run back, held; where the run goes on again, due now."""
    run_id = run_of(row)
    held = run_id is not None and is_paused(tx, run_id)
    lane = row.lane if row.key.startswith(LISTING) else LANE  # in which `resume` looks for it
    work.reschedule(tx, row, owner, HELD_UNTIL if held else now, count=False, lane=lane)
    return held


def hold_again(tx: Tx, row: WorkRow, owner: str, now: datetime) -> None:
    """Give a claimed row back that others have asked for, and of which only the run's is due."""
    until = HELD_UNTIL if row.run_id is not None and is_paused(tx, row.run_id) else now
    work.reschedule(tx, row, owner, until, count=False, lane=LANE)


def pause(tx: Tx, run_id: int, now: datetime) -> int:
    """Pause a run, and hold what nobody has in hand of it; return how much that is."""
    run_writes.lock(tx, run_id)
    tx.execute(update(run).where(run.c.id == run_id).values(paused_at=now))
    waiting = update(rows).where(
        _own(run_id), rows.c.parked_at.is_(None), rows.c.claimed_by.is_(None)
    )
    return tx.execute(waiting.values(due_at=HELD_UNTIL)).rowcount


def resume(tx: Tx, run_id: int, now: datetime) -> int:
    """Let a run go on; return how many pieces of work that frees."""
    run_writes.lock(tx, run_id)
    tx.execute(update(run).where(run.c.id == run_id).values(paused_at=None, progress_at=now))
    held = update(rows).where(_own(run_id), rows.c.parked_at.is_(None), rows.c.due_at == HELD_UNTIL)
    return tx.execute(held.values(due_at=now)).rowcount


def drop(tx: Tx, run_id: int) -> int:
    """Drop the work of a run that nobody has in hand, parked or not; return how much that is.

    What others have asked for as well stays.
    """
    part = rows.c.key.startswith(PARTS) & (rows.c.run_id == run_id)
    dropped = delete(rows).where(or_(_own(run_id), part), rows.c.claimed_by.is_(None))
    return tx.execute(dropped).rowcount


def _own(run_id: int) -> ColumnElement[bool]:
    """Return the condition that a row of work is there for a run alone, by what it was raised for.

    What a comparison has raised since becomes one again when a worker holds it; see `run_of`.
    """
    of_run = (rows.c.run_id == run_id) & (rows.c.lane == LANES.index(LANE))
    return or_(rows.c.key == f"{LISTING}{run_id}", of_run & rows.c.key.not_like(f"{PARTS}%"))
