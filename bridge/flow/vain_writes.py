"""Writes that change nothing: repeated ever less often, and parked after too many.

The vendor takes them, or fails over them, and the record reads as before. Errors that say so
themselves are counted with the work; here it is a read that shows it, so the side counts
(`Side.in_vain`), whatever work the write was for.
"""

from __future__ import annotations

from datetime import timedelta

from bridge.core.model.state import Side
from bridge.engine.context import Context, Task
from bridge.engine.outcomes import FIRST_DELAY_SECONDS, MAX_ATTEMPTS, MAX_PAUSE_SECONDS
from bridge.flow.commit import the_link
from bridge.ledger import attempts, work
from bridge.ledger.database import Tx

CAUSE = "in vain"


def put_off_vain(tx: Tx, context: Context, task: Task, side: Side) -> bool:
    """Put work off whose last writes changed nothing; True if it is too early for the next.

    Even when parked, new hints bring the work up again; it then writes at most once an hour. When
    an operator frees it, it counts afresh.
    """
    row, now = task.row, context.clock.now()
    last = attempts.last_begun(tx, the_link(task).id, side) if side.in_vain else None
    if last is None:
        return False
    pause = min(MAX_PAUSE_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(side.in_vain, 16))
    until = last + timedelta(seconds=pause)
    if now >= until:
        return False
    why = f"{side.in_vain} writes in a row changed nothing on {side.connection}:{side.remote_id}"
    if side.in_vain >= MAX_ATTEMPTS:
        work.park(tx, row, task.owner, why, CAUSE, now)
    else:
        work.reschedule(tx, row, task.owner, until, why, count=False)
    task.give_back(tx)
    return True
