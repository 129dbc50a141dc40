"""Reconciliations that somebody asks for: start, work to be done here, progress and outcome."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.errors import NotPossible
from bridge.ledger import drift_findings, run_records, work
from bridge.ledger.database import Tx
from bridge.ledger.run_records import DifferenceKind, RunRow
from bridge.operations import availability
from bridge.operations.desk import Desk
from bridge.runs import reconcile, schedule
from bridge.wiring import Bridge

RECONCILE_TIMEOUT: Final = 3600.0
"""Seconds after which nobody waits any longer; the workers go on."""
PATIENCE: Final = timedelta(minutes=10)
"""For how long a system that takes no calls is waited for, while nothing else goes on.

Longer than any pause between two tries: one that is well again is noticed before.
"""
LOOK_SECONDS: Final = 0.1
DIFFERENCE_KINDS: Final[tuple[DifferenceKind, ...]] = ("changed", "new", "absent", "owed")
"""The figures of a run that count what differed."""
MAX_DIFFERENCES: Final = 1000


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is."""

    run: int
    connection: str
    entity: str
    seen: int
    pages: int
    differed: int
    waits: str = ""
    """Why it does not go on for now; empty: it does."""


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A record that differed."""

    remote_id: str
    kind: str
    fields: list[str]
    since: datetime | None
    """When it was last known to be right; None: it was never read."""
    why: str
    """Why no webhook had told of it."""
    healed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run found, and what was healed."""

    connection: str
    entity: str
    kind: str
    run: str
    """Its id, as text: `bridge reconcile --json` prints the outcome as it is."""
    seen: int
    pages: int
    unchanged: int
    differed: int
    missed: int
    """Of these, without any webhook."""
    healed: int
    absences: str
    """Why records that the listing lacks were not believed to be gone."""
    unreadable: int
    """Rows that show no record, and were left out."""
    unreadable_rows: list[str]
    """The first of these: where each was, and why."""
    finished: bool
    error: str
    found: list[FoundDifference]
    """The first of what differed."""

    @property
    def only_reported(self) -> bool:
        """Return whether the run was to look and heal nothing."""
        return self.kind == "report"

    @property
    def ok(self) -> bool:
        """Return whether the run came to its end well."""
        return self.finished and not self.error


def start_reconciliations(
    bridge: Bridge,
    desk: Desk,
    connection: str | None,
    *,
    full: bool = False,
    report: bool = False,
    accept_absences: bool = False,
) -> list[int]:
    """Begin runs for a connection, or for all, and return their ids.

    Where one of the kind is under way, or was left by a command that was stopped, that is taken up.
    Raises UnknownName. `report`: look, heal nothing. `accept_absences`: believe a full listing,
    however many known records it lacks; that goes into the audit, and raises NotPossible where a
    run without it is under way.
    """
    names = [desk.connection(connection).name] if connection else list(desk.config.connections)
    kind = "full" if full else "poll"
    begun = [
        run_id
        for name in names
        for run_id in bridge.start_run(name, kind, report=report, accept=accept_absences)
    ]
    if accept_absences and not begun:
        raise NotPossible(
            f"a full run of {connection} is under way that was begun without --accept-absences: "
            "wait for its end (`bridge status` shows it)"
        )
    if accept_absences:
        with desk.ledger.transaction() as tx:
            desk.write_down(tx, "accept absences", str(connection), {"report_only": report})
    with desk.ledger.read() as tx:
        run_kind = reconcile.REPORT if report else kind
        return [
            run.id
            for name in names
            for entity in reconcile.entities(desk.context, name, kind)
            if (run := run_records.last(tx, kind=run_kind, connection=name, entity=entity))
        ]


def work_off(bridge: Bridge, run_ids: Collection[int]) -> None:
    """Work here, beside the workers, until the runs are over and no more can be healed for now.

    What waits for a system that cannot be reached is left to the workers after a while. For runs
    that only look, nothing but their own work is done: any other could write.
    """
    with bridge.ledger.read() as tx:
        only_look = all(run.kind == reconcile.REPORT for run in _runs(tx, run_ids))
    keys = [reconcile.work_key(run_id) for run_id in run_ids] if only_look else []
    step: tuple[int, ...] = ()
    until, stepped_at = time.monotonic() + RECONCILE_TIMEOUT, bridge.clock.now()
    while time.monotonic() < until:
        bridge.drain(keys=keys)
        with bridge.ledger.transaction() as tx:
            drift_findings.mark_healed(tx)
            now, before, step = bridge.clock.now(), step, _step(tx, run_ids)
            stepped_at = stepped_at if step == before else now
            if _is_over(tx, run_ids, now, only_look=only_look):
                return
            if _only_operator_helps(tx, run_ids):
                return
            if now - stepped_at > PATIENCE and _is_held_up(tx, bridge, run_ids):
                return
        bridge.clock.sleep(LOOK_SECONDS)


def _step(tx: Tx, run_ids: Collection[int]) -> tuple[int, ...]:
    """Return how far these runs and what they heal are."""
    runs = _runs(tx, run_ids)
    seen = sum(run.seen + run.figures.get("pages", 0) for run in runs)
    left = sum(run.finished_at is None for run in runs)
    return seen, left, drift_findings.count_healing(tx, run_ids)


def _is_held_up(tx: Tx, bridge: Bridge, run_ids: Collection[int]) -> bool:
    """Return whether what is left waits for systems that take no calls."""
    now, left = bridge.clock.now(), [run for run in _runs(tx, run_ids) if not run.finished_at]
    if left:
        return all(_waits(tx, run, now) for run in left)
    return bool(availability.shut(tx, bridge.context.connections, now))


def _is_over(tx: Tx, run_ids: Collection[int], now: datetime, *, only_look: bool) -> bool:
    if not all(run.finished_at for run in _runs(tx, run_ids)):
        return False
    if only_look:
        return True
    if drift_findings.count_healing(tx, run_ids):
        return False
    # Whatever else is due is done here as well: where no worker runs, nobody else does it. What
    # waits for a connection that may not be called is not.
    return not (schedule.due_work(tx, now) or work.backlog(tx, now)["claimed"])


def _only_operator_helps(tx: Tx, run_ids: Collection[int]) -> bool:
    """Return whether all listings that are left are of connections that an operator must resume."""
    left = {run.connection for run in _runs(tx, run_ids) if run.finished_at is None}
    return bool(left) and left == set(availability.halted(tx, left))


def progress(desk: Desk, run_ids: Iterable[int]) -> list[RunProgress]:
    """Return how far these runs are."""
    with desk.ledger.read() as tx:
        return [
            RunProgress(
                run=run.id,
                connection=run.connection,
                entity=run.entity,
                seen=run.seen,
                pages=run.figures.get("pages", 0),
                differed=_differed(run),
                waits=_waits(tx, run, desk.now()),
            )
            for run in _runs(tx, run_ids)
        ]


def _waits(tx: Tx, run: RunRow, now: datetime) -> str:
    if run.finished_at is not None:
        return ""
    shut = availability.shut(tx, {run.connection}, now)
    why = run.error.removeprefix(f"{run.connection}: ")
    return shut.get(run.connection) or (why and f"{run.connection} is tried again, because {why}")


def outcomes(desk: Desk, run_ids: Iterable[int]) -> list[RunOutcome]:
    """Return what these runs found, and what was healed by now."""
    with desk.ledger.transaction() as tx:
        drift_findings.mark_healed(tx)
        return [_outcome(tx, run) for run in _runs(tx, run_ids)]


def _outcome(tx: Tx, run: RunRow) -> RunOutcome:
    counts = drift_findings.counts(tx, run.id)
    return RunOutcome(
        connection=run.connection,
        entity=run.entity,
        kind=run.kind,
        run=str(run.id),
        seen=run.seen,
        pages=run.figures.get("pages", 0),
        unchanged=run.figures.get("unchanged", 0),
        differed=_differed(run),
        missed=counts["missed"],
        healed=counts["healed"],
        absences=run.figures.get("absences", ""),
        unreadable=run.figures.get("unreadable", 0),
        unreadable_rows=run.figures.get("unreadable_rows", []),
        finished=run.finished_at is not None,
        error=run.error,
        found=_found(tx, run),
    )


def _found(tx: Tx, run: RunRow) -> list[FoundDifference]:
    if run.kind == "report":  # it stores no drift, only keeps the first differences in its own row
        return [
            FoundDifference(row["remote_id"], row["kind"], row["fields"], row["since"], row["why"])
            for row in run.figures.get("found", [])
        ]
    newest_first = drift_findings.recent(tx, runs=[run.id], limit=MAX_DIFFERENCES)
    return [
        FoundDifference(
            drifted.remote_id,
            drifted.kind,
            drifted.fields,
            drifted.since,
            drifted.why,
            drifted.healed_at,
        )
        for drifted in reversed(newest_first)
    ]


def _runs(tx: Tx, run_ids: Iterable[int]) -> list[RunRow]:
    runs = (run_records.get(tx, run_id) for run_id in run_ids)
    return [run for run in runs if run is not None]


def _differed(run: RunRow) -> int:
    return sum(run.figures.get(kind, 0) for kind in DIFFERENCE_KINDS)
