"""The outcome of calls and of errors: for a connection's health, and for a piece of work.

This is the only place that decides about these two; RQ has no retry policy. `record_call_outcome`
takes from each call's answer what it says about the connection, `apply_outcome` from the error that
ended a procedure what becomes of the work. What becomes of a write's attempt, `flow.write` decides.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol

from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, transact
from bridge.errors import (
    AlreadyExists,
    BridgeError,
    LeaseLost,
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
    Withheld,
)
from bridge.ledger import connection_health, parking, paused_runs, webhook_inbox, work
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Tx
from bridge.ledger.webhook_inbox import Answered
from bridge.ledger.work import WorkRow

log = logging.getLogger("bridge.engine")

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 300.0
"""Between two tries of one piece of work."""
MAX_PAUSE_SECONDS = 3600.0
"""For which a connection, or a side whose writes change nothing, is left alone."""
UNKNOWN_REST_SECONDS = 5.0
"""To wait for a connection of which nobody knows when it may be called again."""
MAX_ATTEMPTS = 12
"""Tries of one piece of work before it is parked, those while its connection is down aside."""

ANSWERED = (NotFound, AlreadyExists, Refused, Withheld)
"""Errors that only a system that is well can give."""
DOWN = (Unavailable, NotSent, UnknownOutcome)
"""Errors that a system gives that is down, or cannot be reached."""
SHUT = frozenset({"paused", "trying", "stopped"})
"""States of a connection in which work waits for it."""

DEFECT = "defect"
"""The cause of work that is parked because the bridge itself failed over it."""
RETIRED = "retired"
"""Cause of work for a connection that the files do not name (any more)."""


def record_call_outcome(
    tx: Tx,
    context: Context,
    connection: str,
    error: BaseException | None,
    *,
    probe: bool = False,
    item: str = "",
) -> None:
    """Record what one call's answer says about its connection. No error: it was answered well.

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
    elif (
        probe
        and isinstance(error, Unauthorised)
        and connection_health.refused_again(tx, connection, now, _first_stop(context, connection))
    ):
        return
    elif isinstance(error, DOWN) and not isinstance(error, Resting):
        connection_health.failed(tx, connection, str(error), now, probe=probe, item=item)
    elif probe:
        connection_health.end_probe(tx, connection)


class RunFailure(Protocol):
    """Told of each failure of work that is a run, which is never parked."""

    def __call__(self, tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:
        """Store why it failed; return whether it is to be tried again from where it is.

        If not, the run is ended and its work finished. `again`: another try may help.
        """


def apply_outcome(
    tx: Tx, context: Context, task: Task, error: Exception, run_failure: RunFailure | None = None
) -> None:
    """Give the lease back, and do with the work what the error's declared outcome says.

    `run_failure` is given for work that is a run. Where other work would be parked, a run ends; the
    schedule, or whoever asked for it, begins the next.
    """
    row, now = task.row, context.clock.now()
    task.give_back(tx)
    outcome = error.outcome if isinstance(error, BridgeError) else Outcome.PARK
    why, cause = _why_and_cause(row, error)
    if run_failure is not None and outcome not in {Outcome.STOP, Outcome.IGNORE}:
        _run_failed(tx, context, task, error, run_failure, why)
    elif outcome is Outcome.STOP and isinstance(error, Unauthorised):
        _refused_access(tx, context, task, error, now)
    elif outcome is Outcome.IGNORE:
        _answer_webhooks(tx, task, "ignored", why, now)
        work.finish(tx, row, task.owner, now)
    elif (
        outcome is Outcome.REFETCH
        and isinstance(error, RemoteError)
        and row.attempts >= MAX_ATTEMPTS
    ):
        _park(tx, task, why, cause, now)
    elif outcome is Outcome.REFETCH:
        at = now + timedelta(seconds=backoff(context, row.attempts))
        work.reschedule(tx, row, task.owner, at, why)
    elif outcome is Outcome.RETRY and not _is_worn_out(tx, context, row, error):
        _later(tx, context, task, error, why)
    else:
        _park(tx, task, why, cause, now)


def _why_and_cause(row: WorkRow, error: Exception) -> tuple[str, str]:
    """Return an error in words, and the cause under which work that met it is parked."""
    if isinstance(error, BridgeError):
        return str(error) or type(error).__doc__ or "", type(error).__name__
    log.error("%s of %s met a defect of ours", row.kind, row.key, exc_info=error)
    return f"the bridge itself failed over it: please report what its log says of {row.key}", DEFECT


def _run_failed(
    tx: Tx, context: Context, task: Task, error: Exception, run_failure: RunFailure, why: str
) -> None:
    """Try a run again from where it is, or let it end where that has no sense."""
    row = task.row
    hopeless = not isinstance(error, BridgeError) or error.outcome is Outcome.PARK
    if isinstance(error, LeaseLost) or (not hopeless and _is_down(tx, context, error)):
        # We were held up ourselves, or the connection's health tells of it.
        _later(tx, context, task, error, why)
        return
    subject = " ".join(part for part in (row.connection, row.entity and f"{row.entity}s") if part)
    log.warning("%s of %s failed: %s", row.kind, subject, why)
    # A listing that is answered with 404 or 409 is refused: there is no record to read anew.
    again = not (hopeless or isinstance(error, ANSWERED) or row.attempts >= MAX_ATTEMPTS)
    if run_failure(tx, context, task, why, again=again):
        _later(tx, context, task, error, why)


def retire(context: Context, task: Task, run_failure: RunFailure | None = None) -> Procedure:
    """Set work aside whose connection the files do not name (any more): nobody may be called.

    `run_failure` is given for work that is a run, which ends.
    """
    why = f"{task.row.connection} is no connection of config/bridge.yaml (any more)"

    def act(tx: Tx) -> None:
        if run_failure is not None:
            run_failure(tx, context, task, why, again=False)
        else:
            _park(tx, task, why, RETIRED, context.clock.now())

    yield from transact(act)


def hold_back(context: Context, task: Task) -> Procedure:
    """Hold the work of a paused run until that is resumed."""
    yield from transact(lambda tx: paused_runs.hold(tx, task.row, task.owner, context.clock.now()))


def backoff(context: Context, attempts: int) -> float:
    """Return the seconds to wait before the next try: exponential, with full jitter."""
    longest = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(attempts, 16))
    return context.rng.uniform(0.05, longest)


def _later(tx: Tx, context: Context, task: Task, error: Exception, why: str) -> None:
    """Try again later: after its backoff, and not before its connection may be called."""
    row, now = task.row, context.clock.now()
    wait = backoff(context, row.attempts)
    if isinstance(error, RateLimited):
        wait += error.retry_after or context.backoff.get(error.connection, FIRST_DELAY_SECONDS)
    down = isinstance(error, RemoteError) and _is_down(tx, context, error)
    if isinstance(error, RemoteError) and down:
        health = connection_health.get(tx, error.connection)
        wait = max(wait, _rest_seconds(health, now) + context.rng.uniform(0.05, 1.0))
    at = now + timedelta(seconds=wait)
    work.reschedule(tx, row, task.owner, at, why, count=not down, lane="retry")


def _is_down(tx: Tx, context: Context, error: Exception) -> bool:
    """Return whether an error came of a connection that takes no calls now."""
    if isinstance(error, RateLimited):
        return True
    if not isinstance(error, RemoteError):
        return False
    return connection_health.get(tx, error.connection).state(context.clock.now()) in SHUT


def _is_worn_out(tx: Tx, context: Context, row: WorkRow, error: Exception) -> bool:
    """Return whether work has failed too often by itself.

    Work that fails because its connection is down is not to blame, and is never parked for it. It
    is to blame when something else was answered since its last try: then the trouble of the
    connection is younger than the work's due time.
    """
    if row.attempts < MAX_ATTEMPTS or _is_down(tx, context, error):
        return False
    health = connection_health.get(tx, error.connection) if isinstance(error, RemoteError) else None
    return _is_to_blame(row, health)


def _is_to_blame(row: WorkRow, health: Health | None) -> bool:
    """Return whether the connection had no trouble yet when the work came due."""
    since = health.since if health is not None else None
    return since is None or row.due_at is None or since >= row.due_at


def _rest_seconds(health: Health, now: datetime) -> float:
    """Return for how long a connection may not be called, as far as is known.

    Work of its own is not claimed before.
    """
    if health.state(now) in {"ok", "failing"}:
        return 0.0
    if health.held_at is None and health.refused_at is None and health.paused_until is not None:
        return max(0.0, (health.paused_until - now).total_seconds())
    return UNKNOWN_REST_SECONDS


def _declared_wait(tx: Tx, context: Context, connection: str, now: datetime) -> float:
    """Return for how long to pause a connection after a 429 that names no time.

    At least as long as its connector declares, and up to twice as long for each 429 in a row.
    """
    first = context.backoff.get(connection, FIRST_DELAY_SECONDS)
    in_a_row = connection_health.throttled(tx, connection, now)
    longest = min(MAX_PAUSE_SECONDS, first * 2.0 ** min(in_a_row, 12))
    return context.rng.uniform(first, max(first, longest))


def _refused_access(
    tx: Tx, context: Context, task: Task, error: Unauthorised, now: datetime
) -> None:
    """Stop the connection whose credentials are refused.

    One item alone that is forbidden (403) is only parked; a second one stops the connection.
    """
    row, name = task.row, error.connection
    item = task.link.id if task.link is not None else row.link_id or row.remote_id
    if (
        error.status == 403
        and item is not None
        and not connection_health.forbid(tx, name, item, str(error), now)
    ):
        _park(tx, task, str(error), type(error).__name__, now)
        return
    what_next = (
        f"{error}; mend its credentials, restart the bridge, then `bridge connection resume {name}`"
    )
    if connection_health.refuse(tx, name, what_next, now, _first_stop(context, name)):
        log.error("stopped %s", what_next)
        # The item before was no exception after all: it waits for the key like the rest.
        parking.unpark(tx, now, connection=name, cause=type(error).__name__)
    # Work of the connection's own is not claimed while it is stopped.
    own = row.connection == name
    wait = 0.0 if own else UNKNOWN_REST_SECONDS + backoff(context, row.attempts)
    at = now + timedelta(seconds=wait)
    work.reschedule(tx, row, task.owner, at, str(error), count=False, lane="retry")


def _first_stop(context: Context, connection: str) -> timedelta:
    """Return after how long a refused key is tried again: as long as between two polls."""
    poll = context.connections[connection].poll
    return poll if poll is not None else connection_health.FIRST_STOP


def _park(tx: Tx, task: Task, why: str, cause: str, now: datetime) -> None:
    """Park the work, and say so of the webhooks that it was to answer.

    A hint that came meanwhile keeps both open.
    """
    if work.park(tx, task.row, task.owner, why, cause, now):
        _answer_webhooks(tx, task, "parked", why, now)


def _answer_webhooks(tx: Tx, task: Task, verdict: str, why: str, now: datetime) -> None:
    """Give the webhooks that an observe was to answer their verdict."""
    row = task.row
    if row.kind == "observe" and row.remote_id is not None:
        ref = (row.connection, row.entity, row.remote_id)
        upto = webhook_inbox.last_pending(tx, *ref)
        webhook_inbox.answer(tx, [Answered(Ref(*ref), upto, verdict, why, now)])
