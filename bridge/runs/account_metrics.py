"""Account metrics: the numbers that a connection tells of its account, fetched now and then."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from bridge.connectors.contract import Connector
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, call_vendor, transact
from bridge.errors import LeaseLost, NotSent, RateLimited, Unauthorised, Unavailable
from bridge.ledger import gauges, run_records, work
from bridge.ledger.database import Tx

FETCH_EVERY: Final = timedelta(minutes=5)

KIND: Final = "figures"

log = logging.getLogger(__name__)


def fetch_account_metrics(context: Context, task: Task) -> Procedure:
    """Make the one cheap read and store what it gave; only the newest numbers are kept.

    A failure is no work to be repeated: they are fetched again soon.
    """
    metrics = yield from _fetch(context, task)

    def store(tx: Tx) -> None:
        now = context.clock.now()
        if metrics is not None:
            gauges.put(tx, task.row.connection, metrics, now)
            _store_outcome(tx, task, now)
        work.finish(tx, task.row, task.owner, now)

    yield from transact(store)


def _fetch(context: Context, task: Task) -> Steps[Mapping[str, float] | None]:
    """Return the account's numbers; none if it does not tell any, None if it could not just now."""
    name = task.row.connection
    try:
        return (
            yield from call_vendor(
                name,
                lambda connector: connector.account_metrics(),
                task.deadline(context, name),
            )
        )
    except Unauthorised as error:
        if error.status == 401:
            raise
        # This key may do all the rest, and not read these numbers.
        log.info("%s does not tell its account metrics: %s", name, error)
        return {}
    except (Unavailable, RateLimited, NotSent, LeaseLost) as error:
        # The connection's health tells of that.
        log.info("%s did not tell its account metrics: %s", name, error)
        return None


def fetch_failed(tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:  # noqa: ARG001
    """Store that the numbers could not be fetched; they are asked for again soon."""
    now = context.clock.now()
    _store_outcome(tx, task, now, error=why)
    work.finish(tx, task.row, task.owner, now)
    return False


def _store_outcome(tx: Tx, task: Task, now: datetime, error: str = "") -> None:
    run_records.store_outcome(
        tx, kind=KIND, connection=task.row.connection, entity="", now=now, error=error
    )


def queue_due_fetches(tx: Tx, connectors: Mapping[str, Connector], now: datetime) -> list[str]:
    """Queue a fetch for each connection that can tell and was not asked lately; returns which."""
    last_asked = gauges.last_asked(tx)
    due = [
        name
        for name, connector in connectors.items()
        if type(connector).account_metrics is not Connector.account_metrics
        and (name not in last_asked or last_asked[name] + FETCH_EVERY <= now)
    ]
    for name in due:
        gauges.asked(tx, name, now)
        work.enqueue(
            tx,
            kind=KIND,
            key=f"{KIND}:{name}",
            connection=name,
            entity="",
            lane="reconcile",
            due_at=now,
            now=now,
        )
    return due
