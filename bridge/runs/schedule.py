"""The clock's duties: ring for due work, start due runs, prune. Everything it needs is in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Protocol

from bridge.core.model.syncs import Connection, Sync
from bridge.engine.context import Context
from bridge.ledger import connection_health, run_records, work
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.run_records import RunRow
from bridge.runs import reconcile

POLL_JITTER = 0.1
"""Polls are spread over this part of their interval ..."""
FULL_JITTER = timedelta(minutes=10)
"""... and full runs over so much time, so that connections don't all begin at once."""


class Declared(Protocol):
    """What the schedule is computed from: the configuration, or the flow's context."""

    @property
    def connections(self) -> Mapping[str, Connection]:
        """Give the connections by name."""

    @property
    def syncs(self) -> Mapping[str, Sync]:
        """Give the syncs by name."""


@dataclass(frozen=True, slots=True)
class NextRun:
    """When a connection's next run of a kind is due, and what holds it up."""

    connection: str
    entity: str
    kind: str
    due: datetime | None
    """None: it is not scheduled, or under way."""
    last: RunRow | None
    waits: str = ""
    """Why it does not go on although it is due: its connection is paused or stopped; or `under way`."""


def due_work(tx: Tx, now: datetime) -> bool:
    """Say whether any work is due, and can be done: a connection at rest is nothing to ring for."""
    due = work.next_due(tx, now, connection_health.closed(tx, now))
    return due is not None and due <= now


def start_due_runs(context: Context, ledger: Ledger) -> list[str]:
    """Start every reconciliation whose time has come; a run that was missed is caught up once."""
    now = context.clock.now()
    started = []
    with ledger.read() as tx:
        due = [
            each
            for each in _all(tx, context, _catalogues(context), now)
            if each.due and each.due <= now
        ]
    if not due:
        return []
    with ledger.transaction() as tx:
        # Looked at again: another clock may have been quicker.
        due = [
            each
            for each in _all(tx, context, _catalogues(context), now)
            if each.due and each.due <= now
        ]
        for each in due:
            run_id = reconcile.start(tx, each.connection, each.entity, each.kind, now, due=each.due)
            started.extend([run_id] if run_id else [])
    return started


def next_runs(tx: Tx, declared: Declared, now: datetime) -> list[NextRun]:
    """Give, for every connection, entity and kind that is scheduled, its next time, its last run and what it waits for.

    `declared` is the configuration or the flow's context: both name connections and syncs.
    """
    return _all(tx, declared, [], now)


def _all(tx: Tx, declared: Declared, more: list[tuple[str, str]], now: datetime) -> list[NextRun]:
    newest, begun = run_records.newest(tx), run_records.begun(tx)
    conditions = connection_health.by_name(tx)
    pairs = [
        (name, sync.entity, kind)
        for sync in declared.syncs.values()
        for name in sync.members
        for kind in KINDS
    ]
    pairs += [(name, entity, "full") for name, entity in more]
    planned = []
    for name, entity, kind in pairs:
        last = newest.get((kind, name, entity))
        due, waits = (
            next_time(
                declared.connections[name], entity, kind, last, begun.get((name, entity)), now
            ),
            "",
        )
        if last is not None and last.finished_at is None:
            due, waits = None, "under way"
        condition = conditions.get(name)
        if condition is not None and condition.state(now) in {"paused", "stopped"}:
            waits = f"{name} is {condition.state(now)}" + (
                f": {condition.why}" if condition.why else ""
            )
        if due is not None or last is not None:
            planned.append(NextRun(name, entity, kind, due, last, waits))
    return planned


def next_time(
    connection: Connection,
    entity: str,
    kind: str,
    last: RunRow | None,
    begun: datetime | None,
    now: datetime,
) -> datetime | None:
    """Compute from configuration and the ledger alone when a run is due; None: never.

    The first full run comes at the first such time after the connection's first poll: that one has
    just listed it all.
    """
    part = _part(connection.name, entity, kind)
    if kind == "poll":
        if connection.poll is None:
            return None
        return (
            now
            if last is None
            else last.started_at + connection.poll * (1 + POLL_JITTER * (part - 0.5))
        )
    if connection.full is None:
        return None
    base = last.started_at if last is not None else begun
    if base is None:
        return now if connection.poll is None else None
    jitter = FULL_JITTER * part
    at = datetime.combine(base.date(), connection.full, tzinfo=base.tzinfo) + jitter
    while at <= base:
        at += timedelta(days=1)
    return at


KINDS = reconcile.KINDS


def _catalogues(context: Context) -> list[tuple[str, str]]:
    mirrored = {(name, sync.entity) for sync in context.syncs.values() for name in sync.members}
    names = sorted({name for name, _entity in mirrored})
    every = [
        (name, entity) for name in names for entity in reconcile.entities(context, name, "full")
    ]
    return [pair for pair in every if pair not in mirrored]


def _part(*names: str) -> float:
    """Give a number from 0 to 1 that is always the same for these names: every clock computes the same time."""
    return blake2b("\0".join(names).encode(), digest_size=4).digest()[0] / 255
