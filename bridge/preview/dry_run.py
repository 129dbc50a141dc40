"""A dry run: what would be written if the bridge were let loose now, and what stands against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.connectors.contract import Connector
from bridge.core.merge import guard
from bridge.core.model.outcome_codes import DECLARED, Code
from bridge.core.model.values import Ref
from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.flow.differences import was_read_otherwise
from bridge.flow.replan import replan
from bridge.ledger import attempts, connection_health, hints, ledger_copy, links, run_records, work
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.run_records import RunRow
from bridge.preview.planned_write import PlannedWrite, destructive_total
from bridge.preview.rehearsal import FastForwardClock, FreeBudget, rehearsal_context
from bridge.preview.rehearsal_connector import RehearsalConnector
from bridge.procedures import PROCEDURES
from bridge.runs import forecast, reconcile

MAX_WAIT: Final = timedelta(minutes=30)
"""Work that is due later than this (a create looked for again tomorrow) is not played through."""
MAX_ROUNDS: Final = 500
ROUND_SECONDS: Final = 3600.0
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
) -> Preview:
    """Play everything through on a copy of the ledger, and leave nothing behind.

    `live`: list the systems (reads only); else everything comes from what the ledger knows.
    """
    clock = FastForwardClock(context.clock)
    rehearsed = rehearsal_context(context, clock)
    copy = ledger_copy.copied(ledger, live=live)
    plan = Preview(live)
    stand_ins = {
        name: RehearsalConnector(real, copy, rehearsed, plan.writes, live=live)
        for name, real in connectors.items()
    }
    drain = Drain(
        rehearsed,
        copy,
        dict(stand_ins),
        budget if live and budget is not None else FreeBudget(),
        "rehearsal",
        PROCEDURES,
        pool=InlineExecutor(),
    )
    run_ids: list[int] = []
    with copy.transaction() as tx:
        if live:
            run_ids = reconcile.start_syncs(tx, rehearsed, syncs)
        else:
            plan.known = _plan_links(tx, rehearsed, syncs)
    _play(drain, copy, clock)
    with copy.read() as tx:
        plan.notes = ledger_copy.notes(tx, NOTE_KINDS, DECLARED | {Code.READ_ABSENT})
        plan.parked, plan.unmapped = ledger_copy.parked(tx), ledger_copy.unmapped(tx)
        runs = _runs(tx, run_ids)
        # Once each: the listings of several entities of a connection fail alike.
        not_believed = _listings_not_believed(tx, runs, context.clock.now())
        plan.stopped = list(dict.fromkeys(not_believed))
        plan.silent = _silent(runs)
        plan.answered = not live or {run.connection for run in runs} != set(plan.silent)
        plan.unsafe = list(_held_by_guard(tx, ledger, context, plan.writes, syncs))
    copy.close()
    _estimate_cost(context, plan, stand_ins)
    return plan


def _plan_links(tx: Tx, context: Context, syncs: Collection[str]) -> int:
    """Queue the writes that follow from what the ledger knows of every link; return how many.

    A record that was last read by another mapping is read anew, from what it showed then.
    """
    after, count, now = "", 0, context.clock.now()
    while page := links.ids(tx, after):
        after = page[-1]
        for link in (link for link in context.load(tx, page).values() if link.sync in syncs):
            count += 1
            for name, side in link.live().items():
                if was_read_otherwise(context, link, side):
                    hints.give(tx, Ref(name, link.entity, side.remote_id), now, lane="operator")
            replan(tx, context, link, now, lane="operator")
    return count


def _play(drain: Drain, copy: Ledger, clock: FastForwardClock) -> None:
    """Work until nothing is due soon, putting the clock forward to whatever waits."""
    for _ in range(MAX_ROUNDS):
        drain.run(ROUND_SECONDS)
        with copy.read() as tx:
            due = work.next_due(tx, clock.now())
        if due is None or due > clock.real.now() + MAX_WAIT:
            return
        clock.forward(due)


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


def _held_by_guard(
    tx: Tx,
    ledger: Ledger,
    context: Context,
    writes: Collection[PlannedWrite],
    syncs: Collection[str],
) -> Iterable[str]:
    """Hold the whole plan against the limits that single writes meet too."""
    an_hour_ago = context.clock.now() - timedelta(hours=1)
    for name, entity in sorted({(write.connection, write.entity) for write in writes}):
        sync = context.sync_of(name, entity)
        if sync is None or sync.name not in syncs:
            continue
        # The copy knows the rehearsed writes; what was really written is in the ledger itself.
        with ledger.read() as original:
            recent = attempts.count_destructive(original, name, an_hour_ago)
        more, sides = destructive_total(writes, name, entity), links.count_sides(tx, name, entity)
        held = guard.destructive_held(recent, more, sides, sync.guard)
        if held is not None:
            why = held.partition("; ")[0].removeprefix("held as ")
            yield f"{name}: {why}; look at the plan, then say --override-unsafe"


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
