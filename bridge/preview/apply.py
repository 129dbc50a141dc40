"""Carrying out a plan and nothing else: all is listed again, behind gates that know the plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.connectors.contract import Connector
from bridge.core.model.outcome_codes import Code
from bridge.core.planning.planned_write import PlannedWrite
from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.engine.worker import Drain, call_threads
from bridge.ledger import parking, run_records, run_writes, work
from bridge.ledger.database import Ledger, Tx
from bridge.preview.gate import GatedConnector, Permit
from bridge.procedures import PROCEDURES
from bridge.runs import reconcile

MAX_IDLE: Final = timedelta(seconds=20)
"""Nothing of the plan was done for so long: what is left of it does not come any more."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a plan."""

    runs: list[int]
    done: int
    left: int
    """Planned, and not needed or not possible any more."""
    unplanned: list[str]
    """Wanted by now, and not in the plan."""
    parked: Mapping[Code, int]
    """By outcome code."""
    errors: list[str]


def apply_plan(
    context: Context,
    ledger: Ledger,
    connectors: Mapping[str, Connector],
    syncs: Collection[str],
    writes: Collection[PlannedWrite],
    budget: Budget,
    *,
    override: bool = False,
    pool: Executor | None = None,
) -> Applied:
    """List everything again and write what was planned.

    `override`: also what is held as unsafe.
    """
    permit = Permit.of(writes)
    gates: dict[str, Connector] = {
        name: GatedConnector(real, permit) for name, real in connectors.items()
    }
    owner = f"apply/{context.fresh_id()[:12]}"
    drain = Drain(context, ledger, gates, budget, owner, PROCEDURES, pool or call_threads())
    with ledger.transaction() as tx:
        run_ids = reconcile.start_syncs(tx, context, syncs)
    _Application(context, ledger, drain, permit, run_ids, override).work()
    with ledger.read() as tx:
        runs = [run for each in run_ids if (run := run_records.get(tx, each)) is not None]
        parked = run_writes.left(tx, run_ids).parked
    errors = [f"{run.connection}: {run.error}" for run in runs if run.error]
    unplanned = sorted(permit.unplanned.values())
    return Applied(run_ids, permit.done, permit.left, unplanned, parked, errors)


@dataclass(frozen=True, slots=True)
class _Outstanding:
    """The part of the runs that is still to be done."""

    listed: bool
    """Every listing has come to its end."""
    waiting: int
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class _Application:
    """A plan that is being carried out, by a drain of its own."""

    context: Context
    ledger: Ledger
    drain: Drain
    permit: Permit
    run_ids: list[int]
    override: bool

    def work(self) -> None:
        """Work until nothing of the plan is left, or what is left does not come any more."""
        last_state, progress_at = (-1, -1), self.context.clock.now()
        while True:
            self.drain.run(1.0)
            now = self.context.clock.now()
            with self.ledger.transaction() as tx:
                if self.override:
                    self._release_held(tx, now)
                outstanding = self._outstanding(tx, now)
            if outstanding.listed and not (outstanding.waiting and self.permit.left):
                return
            # What waits for others may never come: without a change for a while, stop.
            state = (self.permit.done, outstanding.waiting)
            if state != last_state or not outstanding.listed:
                last_state, progress_at = state, now
            if now - progress_at > MAX_IDLE:
                return
            self._sleep_until(outstanding.next_due, now)

    def _release_held(self, tx: Tx, now: datetime) -> None:
        """Let through what these runs have set aside as unsafe."""
        held = run_writes.review(tx, self.run_ids, ["unsafe"])
        if held:
            ids = [row["id"] for row in held]
            parking.unpark(tx, now, ids=ids, payload={"approved": True})

    def _outstanding(self, tx: Tx, now: datetime) -> _Outstanding:
        runs = [run_records.get(tx, each) for each in self.run_ids]
        return _Outstanding(
            listed=all(run is None or run.finished_at is not None for run in runs),
            waiting=run_writes.left(tx, self.run_ids).waiting,
            next_due=work.next_due(tx, now),
        )

    def _sleep_until(self, due: datetime | None, now: datetime) -> None:
        """Sleep until work is due, for a second at most: others may bring some earlier."""
        if due is not None and due > now:
            self.context.clock.sleep(min(1.0, (due - now).total_seconds() + 0.001))
