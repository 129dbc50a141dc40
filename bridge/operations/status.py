"""The bridge at a glance: connections, backlog, troubles, the latest runs and the next ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.core.model.syncs import Connection, Rate
from bridge.ledger import run_records, summary
from bridge.ledger.failing_runs import FailingRun
from bridge.ledger.run_records import RunRow
from bridge.ledger.summary import Status
from bridge.operations import doctor, failures, masking, parked, run_states
from bridge.operations.desk import Desk
from bridge.operations.run_states import RunState
from bridge.operations.trouble import Trouble
from bridge.runs.schedule import NextRun, next_runs

NEVER_CALLED: Final = "never called"
RECENT_RUNS: Final = 6
"""So many of the latest runs are given."""
LONG_RUN: Final = timedelta(seconds=10)
"""A run that has not ended after so long is shown."""
_PERIODS: Final = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}
_BODY_BEGINS: Final = re.compile(r": [{\[]")
_BODY_ENDS: Final = ("}", "]", "…")
_MESSAGE: Final = re.compile(r'"(?:message|detail|description|error)"\s*:\s*"([^"]+)"')
_NOT_IN_JSON: Final = ("health", "waiting", "writes", "account_metrics", "records")
"""Parts of the summary that are shown in other words."""


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """How one connection is. Its fields are keys of `bridge status --json`."""

    connection: str
    health: str
    """`ok`, `failing`, `trying`, `paused`, `stopped`, or NEVER_CALLED."""
    why: str
    since: datetime | None
    """When the present trouble began."""
    records: int
    lag: float
    """Seconds for which the oldest due work waits."""
    writes_last_minute: int
    rates: list[str]
    """What the vendor allows: `480/minute`."""
    figures: dict[str, float]
    """What the system tells of itself in numbers."""
    next_poll: datetime | None
    """None: never, or one is under way."""
    next_full: datetime | None


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run, and how many writes it led to."""

    run: RunRow
    written: int
    state: str
    """Why it failed, or `done`, `under way`, `paused`, or why it waits."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole bridge at a glance."""

    at: datetime
    summary: Status
    connections: list[ConnectionStatus]
    schedule: list[NextRun]
    runs: list[RecentRun]
    troubles: list[Trouble]
    """What `bridge doctor` would say."""


def overview(desk: Desk) -> Overview:
    """Return how everything is now."""
    now = desk.now()
    with desk.ledger.read() as tx:
        status = summary.summary(tx, now)
        schedule = next_runs(tx, desk.config, now)
        called = summary.called(tx, status)
        runs = run_records.notable(tx, RECENT_RUNS, now - LONG_RUN)
        states = run_states.of(tx, runs, now)
        failing = failures.current(tx, desk)
    return Overview(
        at=now,
        summary=status,
        connections=[
            _connection(
                connection,
                status,
                schedule,
                [run for run in failing if run.connection == connection.name],
                called=connection.name in called,
                now=now,
            )
            for connection in desk.config.connections.values()
        ],
        schedule=schedule,
        runs=[
            RecentRun(run, state.written, _in_short(state))
            for run, state in zip(runs, states, strict=True)
        ],
        troubles=doctor.examine(desk),
    )


def _in_short(state: RunState) -> str:
    if state.state == "waits":
        return f"waits, because {state.why}"
    return state.why if state.state in {"failed", "stopped"} else state.state


def seen_from(desk: Desk, shown: Overview) -> Overview:
    """Return an overview as whoever sits at this desk may see it."""
    if not desk.masks:
        return shown
    groups = [
        replace(group, samples=[masking.of_cause(desk, row) for row in group.samples])
        for group in shown.summary.parked
    ]
    # What vendors said of parked work stands within what is said of the trouble.
    quoted = {row.why for group in shown.summary.parked for row in group.samples if row.why}
    return replace(
        shown,
        summary=replace(shown.summary, parked=groups),
        connections=[
            replace(each, why=masking.without_addresses(each.why)) for each in shown.connections
        ],
        troubles=[
            replace(each, what=masking.without(quoted, each.what)) for each in shown.troubles
        ],
        runs=[replace(each, state=masking.without_addresses(each.state)) for each in shown.runs],
    )


def as_json(shown: Overview) -> dict[str, Any]:
    """Return an overview in the form of `bridge status --json`."""
    status = shown.summary
    values = asdict(status)
    for name in _NOT_IN_JSON:
        del values[name]
    values["account"] |= {"balanced": status.account.balanced, "missing": status.account.missing}
    values["parked"] = [parked.group_as_json(group) for group in status.parked]
    # Programs are given the ids of runs as text.
    values["runs"] = [row | {"id": str(row["id"])} for row in values["runs"]]
    values["connections"] = [asdict(connection) for connection in shown.connections]
    values["troubles"] = [asdict(trouble) for trouble in shown.troubles]
    values["schedule"] = [_next_run_as_json(run) for run in shown.schedule]
    return values


def in_words(why: str) -> str:
    """Return a reason with the message of a vendor's JSON answer in place of the whole."""
    begin = _BODY_BEGINS.search(why)
    end = 1 + max(why.rfind(mark) for mark in _BODY_ENDS)
    if begin is None or end <= begin.end():
        return why
    words = _MESSAGE.search(why, begin.start(), end)
    return f"{why[: begin.start()]}{f': {words[1]}' if words else ''}{why[end:]}"


def _next_run_as_json(run: NextRun) -> dict[str, Any]:
    last = None if run.last is None else {"run": str(run.last.id), "at": run.last.started_at}
    return {
        "connection": run.connection,
        "entity": run.entity,
        "kind": run.kind,
        "next": run.due,
        "waits": run.waits,
        "last": last,
    }


def _connection(
    connection: Connection,
    status: Status,
    schedule: Iterable[NextRun],
    failing: Sequence[FailingRun],
    *,
    called: bool,
    now: datetime,
) -> ConnectionStatus:
    name = connection.name
    health, waiting_since = status.health.get(name), status.waiting.get(name)
    state = health.state(now) if health else "ok"
    why = health.words(now) if health else ""
    since = health.since if health and state != "ok" else None
    scheduled = [run for run in failing if run.kind in failures.RETRIED]
    if state == "ok" and scheduled:
        state, since = "failing", min(run.since for run in scheduled)
        why = "failing, because " + "; ".join(failures.what(run) for run in scheduled)
    return ConnectionStatus(
        connection=name,
        health=state if called else NEVER_CALLED,
        why=why,
        since=since,
        records=status.sides.get(name, 0),
        lag=_seconds(waiting_since, now),
        writes_last_minute=status.writes.get(name, 0),
        rates=[rate_text(rate) for rate in connection.rates],
        figures={
            metric.name: metric.value
            for metric in status.account_metrics
            if metric.connection == name
        },
        next_poll=_next(schedule, name, "poll"),
        next_full=_next(schedule, name, "full"),
    )


def _next(schedule: Iterable[NextRun], name: str, kind: str) -> datetime | None:
    """Return when a connection's next run of a kind begins, of whatever entity."""
    # A run that is under way has no due time.
    due = [run.due for run in schedule if (run.connection, run.kind) == (name, kind) and run.due]
    return min(due, default=None)


def _seconds(since: datetime | None, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds()), 1) if since else 0.0


def rate_text(rate: Rate) -> str:
    """Return a declared rate as the files have it: `480/minute`."""
    return f"{rate.calls}/{_PERIODS[int(rate.seconds)]}"
