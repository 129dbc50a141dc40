"""How many records a run may make: past that, the rest of its creates wait for the next run."""

from __future__ import annotations

from bridge.engine.context import Context, Task
from bridge.ledger import run_records, run_writes, work
from bridge.ledger.database import Tx

CAUSE = "creation budget"
LIMIT = "max_creates"
"""In the run's figures."""


def spent(tx: Tx, context: Context, task: Task) -> bool:
    """Set a create aside when its run has made all that it may; True if it did.

    Asked in the transaction that writes the intent down, so that many at once never make one too
    many.
    """
    if task.row.run_id is None:
        return False
    run = run_records.get(tx, str(task.row.run_id))
    limit = run.figures.get(LIMIT) if run is not None else None
    if limit is None or run_writes.creates(tx, task.row.run_id) < limit:
        return False
    why = f"run {task.row.run_id} may make {limit} records and has; the next `bridge backfill` goes on with it"
    work.park(tx, task.row, task.owner, why, CAUSE, context.clock.now())
    task.give_back(tx)
    return True
