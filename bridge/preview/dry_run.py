"""A dry run: what would be written if the bridge were let loose now, and what stands against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.connectors.contract import Connector
from bridge.core.merge import guard
from bridge.core.model.outcome_codes import DECLARED, Code
from bridge.core.model.values import Ref
from bridge.core.planning.planned_write import PlannedWrite, destructive_total
from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.flow.differences import was_read_otherwise
from bridge.flow.replan import replan
from bridge.ledger import (
    attempts,
    connection_health,
    hints,
    ledger_copy,
    links,
    run_records,
    taking,
    work,
)
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.run_records import RunRow
from bridge.preview.plan_parts import Look, PlanParts
from bridge.preview.rehearsal import FastForwardClock, FreeBudget, rehearsal_context
from bridge.preview.rehearsal_connector import RehearsalConnector
from bridge.procedures import PROCEDURES
from bridge.runs import forecast, reconcile

MAX_WAIT: Final = timedelta(minutes=30)
"""Work that is due later than this (a create looked for again tomorrow) is not played through."""
MAX_ROUNDS: Final = 500
ROUND_SECONDS: Final = 3600.0
LINKS_AT_A_TIME: Final = 500
NOTE_KINDS: Final = ("not carried", "unreadable", "ambiguous", "conflict", "uncertain")
"""Lines of the timeline that a plan counts."""
CALLS_PER_WRITE: Final = {"update": 2, "create": 1, "delete": 2}
"""What a write costs: where it must not meet a change, the record is read in the same breath."""


@dataclass(slots=True)
class Preview:
    """A plan."""

    live: bool
    writes: list[PlannedWrite] = field(default_factory=list)
    notes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Kind, connection, field and reason of what is not carried, unreadable, in conflict …"""
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and name of agents whom the directory does not know."""
    parked: Counter[tuple[str, Code]] = field(default_factory=Counter)
    """Connection and outcome code of work that would be set aside, or is."""
    calls: dict[str, int] = field(default_factory=dict)
    """What it will cost, by connection."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long that takes at the declared rates, by connection; 0 where none is declared."""
    unsafe: list[str] = field(default_factory=list)
    """Why it is not let through without more."""
    stopped: list[str] = field(default_factory=list)
    """Listings that were not believed, each with its connection and why."""
    silent: list[str] = field(default_factory=list)
    """Connections of which a listing failed and none showed anything: nothing is known of them."""
    answered: bool = True
    """Any connection answered; always so unless `live`."""
    known: int = 0
    """Tickets and other links of the syncs that the ledger knew before."""


def preview(
    context: Context,
    ledger: Ledger,
    connectors: Mapping[str, Connector],
    syncs: Collection[str],
    *,
    live: bool,
    budget: Budget | None = None,
    look: Look = lambda _seen: None,
) -> Preview:
    """Play everything through on a copy of the ledger, and leave nothing behind.

    `live`: list the systems (reads only); else everything comes from what the ledger knows, part by
    part. `look` hears how many links were looked at so far.
    """
    clock = FastForwardClock(context.clock)
    rehearsed = rehearsal_context(context, clock)
    copy = ledger_copy.begin(ledger, live=live)
    plan = Preview(live)
    stand_ins = {
        name: RehearsalConnector(real, copy, rehearsed, plan.writes, live=live)
        for name, real in connectors.items()
    }
    calls = budget if live and budget is not None else FreeBudget()
    rehearsal = _Rehearsal(context, rehearsed, ledger, copy, clock, stand_ins, calls, plan)
    try:
        if live:
            rehearsal.list_systems(syncs)
        else:
            rehearsal.plan_parts(syncs, look)
    finally:
        copy.close()
    _estimate_cost(context, plan, stand_ins)
    return plan


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """A dry run under way."""

    context: Context
    rehearsed: Context
    ledger: Ledger
    copy: Ledger
    clock: FastForwardClock
    stand_ins: Mapping[str, RehearsalConnector]
    budget: Budget
    plan: Preview

    def list_systems(self, syncs: Collection[str]) -> None:
        """Plan from what the systems list, on a copy of the whole ledger: any record may come."""
        plan = self.plan
        ledger_copy.add_all(self.ledger, self.copy)
        with self.copy.transaction() as tx:
            run_ids = reconcile.start_syncs(tx, self.rehearsed, syncs)
        self._play()
        with self.copy.read() as tx:
            plan.notes = ledger_copy.notes(tx, NOTE_KINDS, DECLARED | {Code.READ_ABSENT})
            totals = ledger_copy.Totals.of(tx)
            plan.parked, plan.unmapped = totals.parked, totals.unmapped
            runs = _runs(tx, run_ids)
            # Once each: the listings of several entities of a connection fail alike.
            not_believed = _listings_not_believed(tx, runs, self.context.clock.now())
            plan.stopped = list(dict.fromkeys(not_believed))
        plan.silent = _silent(runs)
        plan.answered = {run.connection for run in runs} != set(plan.silent)
        sides = totals.sides
        plan.unsafe = list(self._held_by_guard(syncs, lambda name, entity: sides[name, entity]))

    def plan_parts(self, syncs: Collection[str], look: Look) -> None:
        """Plan from what the ledger knows, a part at a time."""
        plan, parts = self.plan, PlanParts(self.context, self.ledger, self.copy, syncs, look)
        with self.ledger.read() as tx:
            totals = ledger_copy.Totals(ledger_copy.parked(tx), ledger_copy.unmapped(tx))
        for part in parts.fill():
            with self.copy.transaction() as tx:
                before = ledger_copy.Totals.of(tx)
                _plan_links(tx, self.rehearsed, part, syncs)
            self._play()
            with self.copy.read() as tx:
                totals.add_change(before, ledger_copy.Totals.of(tx))
                plan.notes += ledger_copy.notes(tx, NOTE_KINDS, DECLARED | {Code.READ_ABSENT})
            for stand_in in self.stand_ins.values():
                stand_in.forget()
        plan.parked, plan.unmapped, plan.known = +totals.parked, +totals.unmapped, parts.known

        def count_sides(name: str, entity: str) -> int:
            with self.ledger.read() as tx:
                return links.count_sides(tx, name, entity) + totals.sides[name, entity]

        plan.unsafe = list(self._held_by_guard(syncs, count_sides))

    def _play(self) -> None:
        """Work until nothing is due soon, putting the clock forward to whatever waits."""
        self.clock.back()
        drain = Drain(
            self.rehearsed,
            self.copy,
            dict(self.stand_ins),
            self.budget,
            "rehearsal",
            PROCEDURES,
            pool=InlineExecutor(),
        )
        for _ in range(MAX_ROUNDS):
            drain.run(ROUND_SECONDS)
            with self.copy.read() as tx:
                due = work.next_due(tx, self.clock.now())
            if due is None or due > self.clock.real.now() + MAX_WAIT:
                return
            self.clock.forward(due)

    def _held_by_guard(
        self, syncs: Collection[str], count_sides: Callable[[str, str], int]
    ) -> Iterable[str]:
        """Hold the whole plan against the limits that single writes meet too."""
        an_hour_ago, writes = self.context.clock.now() - timedelta(hours=1), self.plan.writes
        for name, entity in sorted({(write.connection, write.entity) for write in writes}):
            sync = self.context.sync_of(name, entity)
            if sync is None or sync.name not in syncs:
                continue
            # The copy knows the rehearsed writes; what was really written is in the ledger itself.
            with self.ledger.read() as original:
                recent = attempts.count_destructive(original, name, an_hour_ago)
            more, sides = destructive_total(writes, name, entity), count_sides(name, entity)
            held = guard.destructive_held(recent, more, sides, sync.guard)
            if held is not None:
                why = held.partition("; ")[0].removeprefix("held as ")
                yield f"{name}: {why}; look at the plan, then say --override-unsafe"


def _plan_links(tx: Tx, context: Context, ids: Sequence[str], syncs: Collection[str]) -> None:
    """Queue the writes that follow from what the ledger knows of these links, in their order.

    A record that was last read by another mapping is read anew, from what it showed then.
    """
    now = context.clock.now()
    for begin in range(0, len(ids), LINKS_AT_A_TIME):
        loaded = context.load(tx, sorted(ids)[begin : begin + LINKS_AT_A_TIME])
        for link in (link for link in loaded.values() if link.sync in syncs):
            for name, side in link.live().items():
                if was_read_otherwise(context, link, side):
                    hints.give(tx, Ref(name, link.entity, side.remote_id), now, lane="operator")
            rows = taking.of_links(tx, [link.id]).get(link.id, ())
            replan(context, link, rows, now, lane="operator").store(tx, context, link)


def _runs(tx: Tx, run_ids: Iterable[int]) -> list[RunRow]:
    runs = (run_records.get(tx, run_id) for run_id in run_ids)
    return [run for run in runs if run is not None]


def _silent(runs: Collection[RunRow]) -> list[str]:
    """Return the connections of which a listing failed, and none showed anything."""
    failed = {run.connection for run in runs if run.error or run.finished_at is None}
    return sorted(failed - {run.connection for run in runs if run.seen})


def _listings_not_believed(tx: Tx, runs: Iterable[RunRow], now: datetime) -> Iterable[str]:
    for run in runs:
        if run.error or run.finished_at is None:
            why = run.error or _unended(tx, run.connection, now)
            yield f"{run.connection}: {why.removeprefix(f'{run.connection}: ')}"


def _unended(tx: Tx, connection: str, now: datetime) -> str:
    trouble = connection_health.get(tx, connection).words(now)
    return "the listing did not end" + (f": {connection} is {trouble}" if trouble else "")


def _estimate_cost(
    context: Context, plan: Preview, stand_ins: Mapping[str, RehearsalConnector]
) -> None:
    for name, stand_in in stand_ins.items():
        calls = sum(
            number * CALLS_PER_WRITE.get(kind, 1) for kind, number in stand_in.calls.items()
        )
        plan.calls[name] = calls
        plan.seconds[name] = forecast.seconds_for_calls(context, name, calls, "reconcile")


def summary(plan: Preview) -> dict[str, Any]:
    """Count the writes: by connection and kind, and by field."""
    counts: dict[str, Any] = {}
    for write in plan.writes:
        of_connection = counts.setdefault(
            write.connection, {"create": 0, "update": 0, "delete": 0, "fields": Counter()}
        )
        of_connection[write.op] += 1
        of_connection["fields"].update(write.sent.keys())
    return counts
