"""When reconciliations are due: computed from the configuration and the ledger alone.

So any number of clocks, on any machine, come to the same times and start each run once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, Protocol

from bridge.core.model.syncs import Connection, Sync
from bridge.engine.context import Context
from bridge.flow import catching_up
from bridge.ledger import catch_up, connection_health, failing_runs, run_records, work
from bridge.ledger.catch_up import CatchUp
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.run_records import RunRow
from bridge.runs import reconcile

KINDS: Final = reconcile.KINDS
POLL_JITTER: Final = 0.1
"""Polls are spread over this part of their interval ..."""
FULL_JITTER: Final = timedelta(minutes=10)
"""... and full runs over so much time, so that connections don't all begin at once."""
USUAL_TRIES: Final = 3
"""So many failed polls in a row change nothing; then each waits twice as long as the one before."""
FIRST_FULL_RETRY: Final = timedelta(minutes=1)
"""After the first failure of a full run; each one more in a row doubles it."""
MAX_RETRY_INTERVAL: Final = timedelta(hours=1)
"""What fails is tried again once in so long, however long it has failed."""


class Declared(Protocol):
    """The basis of the schedule: the configuration, or the flow's context."""

    @property
    def connections(self) -> Mapping[str, Connection]:
        """Return the connections by name."""

    @property
    def syncs(self) -> Mapping[str, Sync]:
        """Return the syncs by name."""


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
    """Why it does not go on although it is due: its connection is halted, or it is `under way`."""


def due_work(tx: Tx, now: datetime) -> bool:
    """Return whether work is due; that of a connection that nobody may call now does not count."""
    due = work.next_due(tx, now, connection_health.closed(tx, now))
    return due is not None and due <= now


def start_due_runs(context: Context, ledger: Ledger) -> list[int]:
    """Start every reconciliation whose time has come; a run that was missed is caught up once."""
    now = context.clock.now()
    with ledger.read() as tx:
        if not _due_runs(tx, context, now) and not catch_up.by_connection(tx):
            return []
    with ledger.transaction() as tx:
        catching_up.end_where_done(tx, context)
        # Looked at again: another clock may have been quicker.
        begun = [
            reconcile.start(tx, run.connection, run.entity, run.kind, now, due=run.due)
            for run in _due_runs(tx, context, now)
        ]
    return [run_id for run_id in begun if run_id is not None]


def _due_runs(tx: Tx, context: Context, now: datetime) -> list[NextRun]:
    wanted_runs = _mirrored(context) + _catalogues(context)
    planned = _next_runs(tx, context, wanted_runs, now)
    return [run for run in planned if run.due and run.due <= now]


def next_runs(tx: Tx, declared: Declared, now: datetime) -> list[NextRun]:
    """Return the next run of every connection, entity and kind: its time, and what it waits for.

    `declared` is the configuration or the flow's context: both name connections and syncs.
    """
    return _next_runs(tx, declared, _mirrored(declared), now)


def _mirrored(declared: Declared) -> list[tuple[str, str, str]]:
    """Return connection, entity and kind of every run of what is mirrored."""
    return [
        (name, sync.entity, kind)
        for sync in declared.syncs.values()
        for name in sync.members
        for kind in KINDS
    ]


def _catalogues(context: Context) -> list[tuple[str, str, str]]:
    """Return the full runs of what is listed although no sync mirrors it."""
    mirrored = {(name, entity) for name, entity, _kind in _mirrored(context)}
    return [
        (name, entity, "full")
        for name in sorted({name for name, _entity in mirrored})
        for entity in reconcile.entities(context, name, "full")
        if (name, entity) not in mirrored
    ]


def _next_runs(
    tx: Tx, declared: Declared, wanted_runs: list[tuple[str, str, str]], now: datetime
) -> list[NextRun]:
    newest, begun = run_records.newest(tx), run_records.begun(tx)
    failing = failing_runs.by_run(tx, newest)
    health, behind = connection_health.by_name(tx), catch_up.by_connection(tx)
    planned = []
    for name, entity, kind in wanted_runs:
        last = newest.get((kind, name, entity))
        under_way = last is not None and last.finished_at is None
        first_run = begun.get((name, entity))
        connection = declared.connections[name]
        failed = failing.get((kind, name, entity))
        in_a_row = failed.ended if failed is not None else 0
        due = None
        if not under_way:
            usual = next_time(connection, entity, kind, last, first_run, now, failed=in_a_row)
            sooner = _time_to_catch_up(behind.get(name), connection, kind, last, now, in_a_row)
            due = min((time for time in (usual, sooner) if time is not None), default=None)
        if due is not None or last is not None:
            waits = _halted(health.get(name), now) or ("under way" if under_way else "")
            planned.append(NextRun(name, entity, kind, due, last, waits))
    return planned


def _time_to_catch_up(
    state: CatchUp | None,
    connection: Connection,
    kind: str,
    last: RunRow | None,
    now: datetime,
    failed: int,
) -> datetime | None:
    """Return when a run is due because the ledger has to catch up with its connection."""
    if state is None or kind != ("full" if connection.poll is None else state.kind):
        return None
    if last is None or last.started_at < state.since:
        return now
    if not last.error or last.finished_at is None:
        return None
    return last.finished_at + _doubled(FIRST_FULL_RETRY, max(failed - 1, 0))


def _halted(health: Health | None, now: datetime) -> str:
    """Return why a connection's runs don't go on; empty if they do."""
    if health is None or (state := health.state(now)) not in {"paused", "stopped"}:
        return ""
    return f"{health.connection} is {state}" + (f": {health.why}" if health.why else "")


def next_time(
    connection: Connection,
    entity: str,
    kind: str,
    last: RunRow | None,
    begun: datetime | None,
    now: datetime,
    *,
    failed: int = 0,
) -> datetime | None:
    """Return when a run is due; None: never.

    `last`: the newest of its kind. `begun`: when the first run of any kind began. `failed`: how
    many of its kind failed in a row.
    """
    if kind == "poll":
        return _next_poll(connection, entity, last, now, failed)
    daily = _next_full(connection, entity, kind, last, begun, now)
    if not failed or last is None or last.finished_at is None or daily is None:
        return daily
    return min(daily, last.finished_at + _doubled(FIRST_FULL_RETRY, failed - 1))


def _doubled(interval: timedelta, times: int) -> timedelta:
    return min(MAX_RETRY_INTERVAL, interval * int(2 ** min(times, 16)))


def _next_full(
    connection: Connection,
    entity: str,
    kind: str,
    last: RunRow | None,
    begun: datetime | None,
    now: datetime,
) -> datetime | None:
    if connection.full is None:
        return None
    base = last.started_at if last is not None else begun
    if base is None:
        # The first poll lists everything, so the first full run comes at the first such time after.
        return now if connection.poll is None else None
    jitter = FULL_JITTER * _spread(connection.name, entity, kind)
    due = datetime.combine(base.date(), connection.full, tzinfo=base.tzinfo) + jitter
    while due <= base:
        due += timedelta(days=1)
    return due


def _next_poll(
    connection: Connection, entity: str, last: RunRow | None, now: datetime, failed: int
) -> datetime | None:
    if connection.poll is None:
        return None
    if last is None:
        return now
    jitter = POLL_JITTER * (_spread(connection.name, entity, "poll") - 0.5)
    if failed <= USUAL_TRIES or last.finished_at is None:
        return last.started_at + connection.poll * (1 + jitter)
    interval = max(connection.poll, _doubled(connection.poll, failed - USUAL_TRIES))
    return last.finished_at + interval * (1 + jitter)


def _spread(*names: str) -> float:
    """Return a number from 0 to 1 that is the same in every process: clocks agree on each time."""
    return blake2b("\0".join(names).encode(), digest_size=4).digest()[0] / 255
