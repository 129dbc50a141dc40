"""What becomes of work that met an error. This is the only place that decides; RQ has no retry policy."""

from __future__ import annotations

import logging
from datetime import timedelta

from bridge.errors import BridgeError, Outcome, RateLimited, RemoteError, Unavailable
from bridge.flow.context import Context, Task
from bridge.ledger import health, work
from bridge.ledger.session import Tx

log = logging.getLogger("bridge.flow")

FIRST_DELAY = 0.5
LONGEST_DELAY = 300.0
PATIENCE = 12
"""Tries of one piece of work before it is parked; a vendor that is down pauses its connection long before that."""


def settle_failure(tx: Tx, context: Context, task: Task, error: Exception) -> None:
    """Give the lease back and settle the row by the error's declared outcome."""
    row, now = task.row, context.clock.now()
    task.give_back(tx)
    outcome = error.outcome if isinstance(error, BridgeError) else Outcome.PARK
    if not isinstance(error, BridgeError):
        log.error("%s of %s met a defect of ours", row.kind, row.key, exc_info=error)
    said = str(error) or (type(error).__doc__ or type(error).__name__)
    if outcome is Outcome.STOP and isinstance(error, RemoteError):
        way_on = f"{said}; mend its credentials, then `bridge connection resume {error.connection}`"
        if health.refuse(tx, error.connection, way_on, now):
            log.error("stopped %s", way_on)
        work.again(tx, row, task.owner, now, said, count=False)
    elif outcome is Outcome.IGNORE:
        work.finish(tx, row, task.owner, now)
    elif outcome is Outcome.REFETCH:
        work.again(tx, row, task.owner, now + timedelta(seconds=backoff(context, row.attempts)), said)
    elif outcome is Outcome.RETRY and row.attempts < PATIENCE:
        wait = backoff(context, row.attempts)
        if isinstance(error, RateLimited):
            wait = max(wait, error.retry_after or wait)
            health.pause(tx, error.connection, now + timedelta(seconds=wait), said)
        elif isinstance(error, Unavailable):
            health.failed(tx, error.connection, said, now)
        work.again(tx, row, task.owner, now + timedelta(seconds=wait), said)
    else:
        work.park(tx, row, task.owner, said, type(error).__name__, now)


def backoff(context: Context, attempts: int) -> float:
    """Give seconds to wait: exponential with full jitter, never more than five minutes."""
    return context.rng.uniform(0.05, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempts, 16)))
