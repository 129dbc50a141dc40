"""What becomes of work that met an error, and of the connection that it came from.

This is the only place that decides; RQ has no retry policy. `record_call_outcome` reads each call's answer for
what it says about the connection, `apply_outcome` reads the error that ended a procedure for what
it says about the piece of work.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.engine.context import Context, Task
from bridge.errors import (
    AlreadyExists,
    BridgeError,
    NotFound,
    NotSent,
    Outcome,
    RateLimited,
    Refused,
    RemoteError,
    Resting,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from bridge.ledger import connection_health, parking, webhook_inbox, work
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Contended, Ledger, Tx

log = logging.getLogger("bridge.flow")

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 300.0
MAX_PAUSE_SECONDS = 3600.0
MAX_ATTEMPTS = 12
"""Tries of one piece of work before it is parked. Tries while its connection is down are not counted."""

ANSWERED = (NotFound, AlreadyExists, Refused)
"""Errors that only a system that is well can give."""
DOWN = (Unavailable, NotSent, UnknownOutcome)

REMEDIES = {
    "unsafe": "look at what would be lost (`bridge ticket REF`); `bridge parked retry ID --approve` lets it through",
    "ambiguous match": "`bridge link relink CONNECTION:ID --to TICKET` joins it to one of those named; or delete the "
    "double, then retry",
    "create refused": "mend the field that the vendor names, in the record or the mapping; then retry",
    "Refused": "mend the value or the mapping that the vendor refuses; then retry",
    "NotFound": "something that the call names (a person, a tag) is not known there: mend the value; then retry",
    "AlreadyExists": "the vendor says that it is so already, and its record shows otherwise: look there; then retry",
    "Unauthorised": "let the key reach this record too, or take the record out of the sync; then retry",
    "Unsupported": "the mapping asks for what the system cannot do: mend it; then retry",
    "in vain": "the vendor takes the write and does nothing, or fails over it each time: see the record; then retry",
    "Unavailable": "it fails again and again while others work: look at the record there; then retry",
}
"""Cause of parked work -> what to do about it."""
USUAL_REMEDY = "read the reason, mend it, then retry: what is right is looked at anew"


def remedy(cause: str) -> str:
    """Say what to do about work that was parked for this cause."""
    return REMEDIES.get(cause, USUAL_REMEDY)


def record_call_outcome(
    tx: Tx,
    context: Context,
    connection: str,
    error: BaseException | None,
    *,
    probe: bool = False,
    item: str = "",
) -> None:
    """Note what one call's answer says about its connection; None: it was answered well.

    `probe`: the call was the one that a half-open breaker lets through, so it closes or opens it.
    `item` is the key of the work that made the call.
    """
    now = context.clock.now()
    if error is None or isinstance(error, ANSWERED):
        connection_health.worked(tx, connection, probe=probe)
    elif isinstance(error, RateLimited):
        wait = error.retry_after or _declared_wait(tx, context, connection, now)
        connection_health.pause(
            tx,
            connection,
            now + timedelta(seconds=min(wait, MAX_PAUSE_SECONDS)),
            str(error),
            now=now,
        )
        if probe:
            connection_health.end_probe(tx, connection)
    elif isinstance(error, DOWN) and not isinstance(error, Resting):
        connection_health.failed(tx, connection, str(error), now, probe=probe, item=item)
    elif probe:
        connection_health.end_probe(tx, connection)


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call ended, as far as it concerns the connection."""

    connection: str
    error: BaseException | None
    probe: bool = False
    """It was the call that a half-open breaker let through."""
    item: str = ""
    """Key of the work that made the call."""


@dataclass(slots=True)
class CallOutcomes:
    """What one worker's calls were answered, until it is recorded."""

    waiting: list[CallOutcome] = field(default_factory=list)

    def record(self, ledger: Ledger, context: Context) -> None:
        """Record what waits, in a transaction that does nothing else.

        If others are at the same rows, it waits for the next time. Each recording locks the
        connection's health. In the transaction of all that is under way, or in another order than
        every other worker's, two of them could wait for one another, and the loser would lose all
        its work.
        """
        if not self.waiting:
            return
        try:
            with ledger.transaction() as tx:
                for outcome in sorted(self.waiting, key=lambda each: each.connection):
                    record_call_outcome(
                        tx,
                        context,
                        outcome.connection,
                        outcome.error,
                        probe=outcome.probe,
                        item=outcome.item,
                    )
        except Contended:
            return
        self.waiting = []


def apply_outcome(tx: Tx, context: Context, task: Task, error: Exception) -> None:
    """Give the lease back and settle the row by the error's declared outcome."""
    row, now = task.row, context.clock.now()
    task.give_back(tx)
    outcome = error.outcome if isinstance(error, BridgeError) else Outcome.PARK
    if not isinstance(error, BridgeError):
        log.error("%s of %s met a defect of ours", row.kind, row.key, exc_info=error)
    said = str(error) or (type(error).__doc__ or type(error).__name__)
    if outcome is Outcome.STOP and isinstance(error, Unauthorised):
        _refused_access(tx, context, task, error, now)
    elif outcome is Outcome.IGNORE:
        _verdict(tx, task, "ignored", said, now)
        work.finish(tx, row, task.owner, now)
    elif (
        outcome is Outcome.REFETCH
        and isinstance(error, RemoteError)
        and row.attempts >= MAX_ATTEMPTS
    ):
        _set_aside(tx, task, said, type(error).__name__, now)
    elif outcome is Outcome.REFETCH:
        work.reschedule(
            tx, row, task.owner, now + timedelta(seconds=backoff(context, row.attempts)), said
        )
    elif outcome is Outcome.RETRY:
        _later(tx, context, task, error, said)
    else:
        _set_aside(tx, task, said, type(error).__name__, now)


def backoff(context: Context, attempts: int) -> float:
    """Give seconds to wait: exponential with full jitter, never more than five minutes."""
    return context.rng.uniform(
        0.05, min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts, 16))
    )


def _later(tx: Tx, context: Context, task: Task, error: Exception, said: str) -> None:
    """Try again later. What fails because its connection is down is not to blame, and is never parked for it.

    It is to blame when something else was answered since its last try: then the trouble is younger
    than its due time.
    """
    row, now = task.row, context.clock.now()
    found = connection_health.get(tx, error.connection) if isinstance(error, RemoteError) else None
    down = isinstance(error, RateLimited) or (
        found is not None and found.state(now) in {"paused", "trying", "stopped"}
    )
    wait = backoff(context, row.attempts)
    if isinstance(error, RateLimited):
        wait += error.retry_after or context.backoff.get(error.connection, FIRST_DELAY_SECONDS)
    if found is not None and down:
        wait = max(wait, _rest(found, now) + context.rng.uniform(0.05, 1.0))
    alone = found is None or found.since is None or row.due_at is None or found.since >= row.due_at
    if row.attempts >= MAX_ATTEMPTS and not down and alone:
        _set_aside(tx, task, said, type(error).__name__, now)
        return
    work.reschedule(
        tx, row, task.owner, now + timedelta(seconds=wait), said, count=not down, lane="retry"
    )


def _rest(found: Health, now: datetime) -> float:
    """Give the seconds for which a connection rests, as far as is known; work of its own is not claimed before."""
    if found.state(now) in {"ok", "failing"}:
        return 0.0
    if found.held_at is None and found.refused_at is None and found.paused_until is not None:
        return max(0.0, (found.paused_until - now).total_seconds())
    return 5.0


def _declared_wait(tx: Tx, context: Context, connection: str, now: datetime) -> float:
    """Wait at least as long as the system's connector declares, and up to twice as long for each 429 in a row."""
    first = context.backoff.get(connection, FIRST_DELAY_SECONDS)
    longest = min(
        MAX_PAUSE_SECONDS, first * 2.0 ** min(connection_health.throttled(tx, connection, now), 12)
    )
    return context.rng.uniform(first, max(first, longest))


def _refused_access(
    tx: Tx, context: Context, task: Task, error: Unauthorised, now: datetime
) -> None:
    """Stop the connection; but one item alone that is forbidden (403) is parked, until a second one is, too."""
    row, name = task.row, error.connection
    item = task.link.id if task.link is not None else row.link_id or row.remote_id
    if (
        error.status == 403
        and item is not None
        and not connection_health.forbid(tx, name, item, str(error), now)
    ):
        _set_aside(tx, task, str(error), type(error).__name__, now)
        return
    way_on = (
        f"{error}; mend its credentials, restart the bridge, then `bridge connection resume {name}`"
    )
    if connection_health.refuse(tx, name, way_on, now):
        log.error("stopped %s", way_on)
        # The item before was no exception after all: it waits for the key like the rest.
        parking.unpark(tx, now, connection=name, cause=type(error).__name__)
    wait = 0.0 if row.connection == name else 5.0 + backoff(context, row.attempts)
    work.reschedule(
        tx, row, task.owner, now + timedelta(seconds=wait), str(error), count=False, lane="retry"
    )


def _set_aside(tx: Tx, task: Task, why: str, cause: str, now: datetime) -> None:
    """Park the row, and say so of the webhooks that it was to answer; a hint that came meanwhile keeps both open."""
    if work.park(tx, task.row, task.owner, why, cause, now):
        _verdict(tx, task, "parked", why, now)


def _verdict(tx: Tx, task: Task, said: str, why: str, now: datetime) -> None:
    row = task.row
    if row.kind == "observe" and row.remote_id is not None:
        upto = webhook_inbox.last_pending(tx, row.connection, row.entity, row.remote_id)
        webhook_inbox.set_verdict(
            tx, row.connection, row.entity, row.remote_id, upto, said, why, now
        )
