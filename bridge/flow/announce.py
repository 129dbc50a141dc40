"""The clock's duties: ring for due work, start due runs, prune. Everything it needs is in the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.flow import reconcile
from bridge.flow.context import Context
from bridge.ledger import health, runs, work
from bridge.ledger.session import Ledger, Tx


def due_work(tx: Tx, now: datetime) -> bool:
    """Say whether any work is due, and can be done: a connection at rest is nothing to ring for."""
    due = work.next_due(tx, now, health.closed(tx, now))
    return due is not None and due <= now


def start_due_runs(context: Context, ledger: Ledger) -> list[str]:
    """Start every reconciliation whose time has come; a run that was missed is caught up once."""
    now = context.clock.now()
    started = []
    with ledger.transaction() as tx:
        for sync in context.syncs.values():
            for name in sync.members:
                for kind in reconcile.KINDS:
                    last = runs.last(tx, kind=kind, connection=name, entity=sync.entity)
                    if is_due(context, name, kind, last.started_at if last else None, now):
                        run_id = reconcile.start(tx, name, sync.entity, kind, now)
                        started.extend([run_id] if run_id else [])
    return started


def is_due(context: Context, name: str, kind: str, last: datetime | None, now: datetime) -> bool:
    """Compute from configuration and the last run alone whether a run is due."""
    connection = context.connections[name]
    if kind == "poll":
        return connection.poll is not None and (last is None or last + connection.poll <= now)
    if connection.full is None:
        return False
    today = datetime.combine(now.date(), connection.full, tzinfo=now.tzinfo)
    latest = today if today <= now else today - timedelta(days=1)
    return last is not None and last < latest
