"""The first import of what a sync mirrors: its cost, its start, its progress and its outcome."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bridge.core.model.counting import counted
from bridge.core.model.lanes import SHARES
from bridge.core.model.outcome_codes import Code
from bridge.ledger import run_records, run_writes
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.ledger.run_writes import LeftToDo
from bridge.operations import availability
from bridge.operations.desk import Desk
from bridge.operations.evidence import AMBIGUOUS
from bridge.runs import backfill
from bridge.runs.forecast import ImportCost, forecast
from bridge.wiring import Bridge

TURN_SECONDS: Final = 1.0
"""For so long the import works between two looks at how far it is."""
IDLE_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class AllowedRate:
    """What the declared limit of a connection leaves to imports."""

    connection: str
    calls: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is."""

    pages: int
    listed: int
    """Records on these pages."""
    queued: int
    """Pieces of work: records that had to be looked at, and what earlier imports left undone."""
    waiting: int
    """Of these, not done yet."""
    made: int
    calls: int
    seconds: float
    unlisted: list[str]
    """Members whose listing has not ended."""
    shut: dict[str, str]
    """Members that are stopped or paused just now, each with a line that says so and why."""
    halted: list[str]
    """Connections for which all that is left waits, and that only an operator can resume."""
    errors: list[str]
    paused: list[int] = field(default_factory=list)
    """Runs that an admin has paused; `bridge runs resume` lets them go on."""

    @property
    def done(self) -> int:
        """Return how many pieces of work are done."""
        return max(0, self.queued - self.waiting)

    @property
    def is_over(self) -> bool:
        """Return whether everything is done, or nothing more can be until an operator acts."""
        return bool(self.halted or self.paused) or not (self.unlisted or self.waiting)

    @property
    def undone(self) -> str:
        """Return in words what is left."""
        parts = [f"the listing of {name}" for name in self.unlisted]
        if self.waiting:
            parts.append(counted(self.waiting, "piece of work", "pieces of work"))
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import has done, and what it leaves to a human."""

    made: int
    left: LeftToDo
    review: list[dict[str, Any]]
    """Work on records that match more than one ticket."""

    @property
    def over_limit(self) -> int:
        """Return how many records were not made because the import had made all that it may."""
        return self.left.parked[Code.CREATE_BUDGET]

    @property
    def set_aside(self) -> dict[Code, int]:
        """Return how much else was set aside, by outcome code."""
        named = {Code.CREATE_BUDGET, Code.MATCH_AMBIGUOUS}
        return {code: count for code, count in self.left.parked.items() if code not in named}


def estimate_cost(desk: Desk, sync: str) -> list[ImportCost]:
    """Return what an import will cost, as far as the ledger can tell. Raises UnknownName."""
    with desk.ledger.read() as tx:
        return forecast(tx, desk.context, desk.sync(sync))


def allowed_rates(desk: Desk) -> list[AllowedRate]:
    """Return how fast the declared limits let an import call."""
    return [
        AllowedRate(connection.name, rate.calls * SHARES["backfill"], rate.seconds)
        for connection in desk.config.connections.values()
        for rate in connection.rates
    ]


def start_import(
    desk: Desk,
    sync_name: str,
    *,
    since: datetime | None = None,
    newest_first: bool = False,
    max_creates: int | None = None,
) -> list[int]:
    """Begin a run for each member, or go on with the one that was interrupted; return their ids.

    Raises UnknownName.
    """
    sync = desk.sync(sync_name)
    run_ids: list[int] = []
    with desk.ledger.transaction() as tx:
        for name in sync.members:
            run_id = backfill.start(
                tx,
                name,
                sync.entity,
                desk.now(),
                since=since,
                newest_first=newest_first,
            ) or _under_way(tx, name, sync.entity)
            if run_id is not None:
                run_ids.append(run_id)
        if max_creates is not None:
            backfill.limit(tx, run_ids, max_creates)
        desk.write_down(tx, "backfill", sync_name, {"runs": run_ids})
    desk.bell.ring()
    return run_ids


def _under_way(tx: Tx, connection: str, entity: str) -> int | None:
    run = run_records.last(tx, kind=backfill.KIND, connection=connection, entity=entity)
    return run.id if run else None


def follow_import(bridge: Bridge, desk: Desk, run_ids: Sequence[int]) -> Iterator[ImportProgress]:
    """Work here, beside the workers, and yield how far it is, until the import is over.

    The last one has `halted` set when all that is left waits for connections that an operator must
    resume.
    """
    began, calls = time.monotonic(), 0
    while True:
        turn = bridge.worker.run(TURN_SECONDS)
        calls += turn.calls
        seconds = time.monotonic() - began
        step = progress(desk, run_ids, calls=calls, seconds=seconds)
        yield step
        if step.is_over:
            return
        if not turn.claimed:  # all that is left waits for its time, or is with other workers
            bridge.clock.sleep(IDLE_SECONDS)


def progress(
    desk: Desk, run_ids: Sequence[int], *, calls: int = 0, seconds: float = 0.0
) -> ImportProgress:
    """Return how far an import is. `calls`, `seconds`: what whoever follows it has spent on it."""
    with desk.ledger.read() as tx:
        runs = _runs(tx, run_ids)
        unlisted = sorted(run.connection for run in runs if run.finished_at is None)
        waits_for = {*run_writes.waits_for(tx, run_ids), *unlisted}
        members = {run.connection for run in runs}
        return ImportProgress(
            pages=sum(run.figures.get("pages", 0) for run in runs),
            listed=sum(run.seen for run in runs),
            queued=sum(run.hinted + run.figures.get("carried over", 0) for run in runs),
            waiting=run_writes.left(tx, run_ids).waiting,
            made=run_writes.creates(tx, run_ids),
            calls=calls,
            seconds=seconds,
            unlisted=unlisted,
            shut=availability.shut(tx, waits_for | members, desk.now()),
            halted=_halted(tx, waits_for),
            errors=[_failure(run) for run in runs if run.error],
            paused=[run.id for run in runs if run.paused_at is not None],
        )


def _failure(run: RunRow) -> str:
    why = run.error.removeprefix(f"{run.connection}: ")
    return f"{run.connection}: listing its {run.entity}s failed: {why}"


def _halted(tx: Tx, waits_for: Collection[str]) -> list[str]:
    """Return these connections if none of them is called again before an operator resumes it."""
    halted = availability.halted(tx, waits_for)
    return halted if set(halted) == set(waits_for) else []


def outcome(desk: Desk, run_ids: Sequence[int]) -> ImportOutcome:
    """Return what the runs of an import have made, and what they leave to a human."""
    with desk.ledger.read() as tx:
        return ImportOutcome(
            made=sum(len(run_writes.made(tx, run_id)) for run_id in run_ids),
            left=run_writes.left(tx, run_ids),
            review=run_writes.review(tx, run_ids, [AMBIGUOUS]),
        )


def _runs(tx: Tx, run_ids: Sequence[int]) -> list[RunRow]:
    runs = (run_records.get(tx, run_id) for run_id in run_ids)
    return [run for run in runs if run is not None]
