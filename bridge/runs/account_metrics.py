"""Figures: ask a connection now and then what it has to say of itself in numbers, and keep the newest."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from bridge.connectors.contract import Connector
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, transact
from bridge.errors import RemoteError, Unauthorised, Unsupported
from bridge.ledger import gauges, work
from bridge.ledger.database import Tx

EVERY = timedelta(minutes=5)

log = logging.getLogger("bridge.flow")


def fetch_account_metrics(context: Context, task: Task) -> Procedure:
    """Make the one cheap read, and store what it gave. A failure is no work to be repeated: it is asked again soon."""
    row = task.row
    try:
        found = yield from call_vendor(
            row.connection, lambda c: c.account_metrics(), task.deadline(context, row.connection)
        )
    except Unauthorised as error:
        if error.status == 401:
            raise
        log.info("%s does not tell its figures: %s", row.connection, error)
        found = {}
    except (RemoteError, Unsupported) as error:
        log.info("%s did not tell its figures: %s", row.connection, error)
        found = None

    def keep(tx: Tx) -> None:
        now = context.clock.now()
        if found is not None:
            gauges.put(tx, row.connection, found, now)
        work.finish(tx, row, task.owner, now)

    yield from transact(keep)


def queue_due_fetches(tx: Tx, connectors: Mapping[str, Connector], now: datetime) -> list[str]:
    """Queue the question for each connection that can tell and was not asked for a while; gives which."""
    known = gauges.last_asked(tx)
    telling = [
        name
        for name, each in connectors.items()
        if type(each).account_metrics is not Connector.account_metrics
    ]
    due = [name for name in telling if name not in known or known[name] + EVERY <= now]
    for name in due:
        gauges.asked(tx, name, now)
        work.enqueue(
            tx,
            kind="figures",
            key=f"figures:{name}",
            connection=name,
            entity="",
            lane="reconcile",
            due_at=now,
            now=now,
        )
    return due
