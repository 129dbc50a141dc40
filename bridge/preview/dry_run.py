"""What would be written if the bridge were let loose now, and what stands against it. Nothing is left behind."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.connectors.contract import Connector
from bridge.core.merge import guard
from bridge.core.model.lanes import SHARES
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.flow.replan import replan
from bridge.ledger import attempts, connection_health, ledger_copy, links, run_records, work
from bridge.ledger.database import Ledger, Tx
from bridge.preview.rehearsal import (
    FastForwardClock,
    FreeBudget,
    PlannedWrite,
    RehearsalConnector,
    rehearsal_context,
)
from bridge.procedures import PROCEDURES
from bridge.runs import reconcile

HORIZON: Final = timedelta(minutes=30)
"""Work that is due later than this (a create looked for again tomorrow) is not played through."""
ROUNDS: Final = 500
TOLD: Final = ("not carried", "unreadable", "ambiguous", "conflict", "uncertain")
READS: Final = {"update": 2, "create": 1, "delete": 2}
"""Calls that a write costs: it is read before, and in the same breath written."""


@dataclass(slots=True)
class Preview:
    """A plan."""

    live: bool
    writes: list[PlannedWrite] = field(default_factory=list)
    notes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Kind, connection, field and reason of what is not carried, unreadable, ambiguous or in conflict."""
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and name of agents whom the directory does not know."""
    parked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and cause of work that would be set aside, or is."""
    calls: dict[str, int] = field(default_factory=dict)
    """What it will cost, by connection."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long that takes at the declared rates, by connection; 0 where none is declared."""
    unsafe: list[str] = field(default_factory=list)
    """Why it is not let through without more."""
    stopped: list[str] = field(default_factory=list)
    """Listings that were not believed."""


def preview(
    context: Context,
    ledger: Ledger,
    connectors: Mapping[str, Connector],
    syncs: Collection[str],
    *,
    live: bool,
    budget: Any = None,
) -> Preview:
    """Play everything through on a copy. Live: list the systems (reads only); else, from what the ledger knows."""
    clock = FastForwardClock(context.clock)
    played = rehearsal_context(context, clock)
    copy = ledger_copy.copied(ledger, live=live)
    plan = Preview(live)
    stand_ins = {
        name: RehearsalConnector(real, copy, played, plan.writes, live=live)
        for name, real in connectors.items()
    }
    drain = Drain(
        played,
        copy,
        dict(stand_ins),
        budget if live and budget else FreeBudget(),
        "rehearsal",
        PROCEDURES,
        pool=InlineExecutor(),
    )
    with copy.transaction() as tx:
        started = [*_list(tx, played, syncs)] if live else _plan_all(tx, played, syncs)
    for _ in range(ROUNDS):
        drain.run(3600.0)
        with copy.read() as tx:
            due = work.next_due(tx, clock.now())
        if due is None or due > context.clock.now() + HORIZON:
            break
        clock.forward(due)
    with copy.read() as tx:
        _tell(tx, plan, started, context.clock.now())
        _judge(tx, ledger, context, plan, syncs)
    _cost(context, plan, stand_ins)
    copy.close()
    return plan


def _list(tx: Tx, context: Context, syncs: Collection[str]) -> Iterable[str]:
    for name in syncs:
        for member in context.syncs[name].members:
            run_id = reconcile.start(
                tx, member, context.syncs[name].entity, "full", context.clock.now()
            )
            if run_id is not None:
                yield run_id


def _plan_all(tx: Tx, context: Context, syncs: Collection[str]) -> list[str]:
    after = ""
    while page := links.ids(tx, after):
        after = page[-1]
        for link in links.load(tx, page).values():
            if link.sync in syncs:
                replan(tx, context, link, context.clock.now(), lane="operator")
    return []


def _tell(tx: Tx, plan: Preview, started: Iterable[str], now: datetime) -> None:
    plan.notes, plan.parked, plan.unmapped = (
        ledger_copy.notes(tx, TOLD),
        ledger_copy.parked(tx),
        ledger_copy.unmapped(tx),
    )
    for run_id in started:
        run = run_records.get(tx, run_id)
        if run is not None and (run.error or run.finished_at is None):
            known = connection_health.get(tx, run.connection).words(now)
            unended = "the listing did not end" + (
                f": {run.connection} is {known}" if known else ""
            )
            plan.stopped.append(f"{run.connection}: {run.error or unended}")


def _judge(tx: Tx, ledger: Ledger, context: Context, plan: Preview, syncs: Collection[str]) -> None:
    """Hold the whole plan against the brakes that single writes meet too."""
    since = context.clock.now() - timedelta(hours=1)
    for name, entity in sorted({(write.connection, write.entity) for write in plan.writes}):
        more = sum(
            write.destructive
            for write in plan.writes
            if (write.connection, write.entity) == (name, entity)
        )
        with ledger.read() as original:
            recent = attempts.count_destructive(original, name, since)
        sync = context.sync_of(name, entity)
        if sync is None or sync.name not in syncs:
            continue
        held = guard.destructive_held(recent, more, links.count_sides(tx, name, entity), sync.guard)
        if held is not None:
            why = held.partition("; ")[0].removeprefix("held as ")
            plan.unsafe.append(f"{name}: {why}; look at the plan, then say --override-unsafe")


def _cost(context: Context, plan: Preview, stand_ins: Mapping[str, RehearsalConnector]) -> None:
    for name, stand_in in stand_ins.items():
        number = sum(count * READS.get(kind, 1) for kind, count in stand_in.calls.items())
        plan.calls[name] = number
        rates = context.connections[name].rates
        plan.seconds[name] = max(
            (number * r.seconds / (r.calls * SHARES["reconcile"]) for r in rates), default=0.0
        )


def write_digest(write: PlannedWrite) -> str:
    """Give the name of a write, for comparing plans: a digest, so that a kept plan holds nobody's data."""
    told = [write.op, write.connection, write.entity, write.id, write.verb, dict(write.values)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:24]


def write_target(write: PlannedWrite) -> str:
    """Give where a write goes, for saying what moved between two plans."""
    return f"{write.op} {write.connection} {write.id} {','.join(sorted(write.values))}"


def summary(plan: Preview) -> dict[str, Any]:
    """Count the writes: by connection and kind, and by field."""
    told: dict[str, Any] = {}
    for write in plan.writes:
        mine = told.setdefault(
            write.connection, {"create": 0, "update": 0, "delete": 0, "fields": Counter()}
        )
        mine[write.op] += 1
        mine["fields"].update(write.sent.keys())
    return told
