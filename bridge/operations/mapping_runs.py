"""Plans of changed mappings, kept until they are confirmed, and the runs that carry them out.

A plan holds digests of the values that are written, and the values of what was read for it, a part
of the links after the other, in a file without a name: as large as it may be, it takes no memory,
and it is gone when it is let go.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Final

from bridge.core.merge.rereading import FreshValues, KnownReadings
from bridge.core.planning.planned_write import PlannedWrite
from bridge.engine.context import Context
from bridge.errors import Busy, NotPossible
from bridge.flow import confirmed
from bridge.ledger import run_records
from bridge.ledger.database import Ledger, Tx
from bridge.operations import run_states
from bridge.operations.desk import Desk
from bridge.operations.mapping_effect import Look, Read, Take, effect_of
from bridge.operations.mapping_trials import TriedSince
from bridge.operations.run_states import RunState
from bridge.runs import remapping
from bridge.runs.remapping import RemapPart
from bridge.workbench.effect import LinkEffect, MappingChange
from bridge.workbench.effect_summary import EffectSummary

MAX_RUNS: Final = 100
"""Runs that are looked through for one that has not ended."""
WORK: Final = {"create": "create", "delete": "remove"}
"""What is done to a whole record -> the kind of work that does it."""


@dataclass(slots=True)
class EffectPlan:
    """What a change would do, ready to be carried out as it is."""

    change: MappingChange
    summary: EffectSummary
    writes: int
    _parts: IO[str]

    def parts(self) -> Iterator[dict[str, Any]]:
        """Yield the parts, as `RemapPart` has them."""
        self._parts.seek(0)
        for line in self._parts:
            yield json.loads(line)


@dataclass(slots=True)
class _Spool:
    """Collects the parts of a plan."""

    stream: IO[str]
    take_also: Take
    after: str = ""
    writes: int = 0
    ops: dict[str, dict[str, Any]] = field(default_factory=dict)
    fresh: dict[str, FreshValues] = field(default_factory=dict)

    def take(self, effect: LinkEffect) -> None:
        self.take_also(effect)
        self.writes += len(effect.writes)
        if effect.writes:
            self.ops[effect.link] = _ops(effect.writes)
        if effect.fresh:
            self.fresh[effect.link] = effect.fresh

    def page_ends(self, upto: str) -> None:
        part = {"after": self.after, "upto": upto, "links": self.ops, "fresh": self.fresh}
        self.stream.write(json.dumps(part) + "\n")
        self.after, self.ops, self.fresh = upto, {}, {}


def _ops(writes: list[PlannedWrite]) -> dict[str, Any]:
    """Return what is confirmed of a link, by connection."""
    ops: dict[str, Any] = {}
    for write in writes:
        if write.op in WORK:
            ops[write.connection] = WORK[write.op]
            continue
        values = ops.setdefault(write.connection, {})
        for name, raw in write.sent.items():
            values.setdefault(name, []).append(confirmed.digest(raw))
    return ops


@contextmanager
def planned(
    ledger: Ledger,
    old: Context,
    new: Context,
    *,
    take: Take = lambda _effect: None,
    look: Look = lambda _seen: None,
    read: Read | None = None,
) -> Iterator[EffectPlan]:
    """Plan what the new files do to all that the ledger knows, against the old ones.

    The plan is there until the block ends. `take`, `look` and `read`: as for `effect_of`.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stream:
        spool = _Spool(stream, take)
        take, page_ends = spool.take, spool.page_ends
        summary = effect_of(ledger, old, new, take=take, look=look, page_ends=page_ends, read=read)
        yield EffectPlan(MappingChange(old, new), summary, spool.writes, stream)


@contextmanager
def planned_at(
    desk: Desk, change: TriedSince, look: Look, read: Read | None = None
) -> Iterator[EffectPlan]:
    """Plan a change at a desk; see `planned`."""
    old, new = change.change.old, change.change.new
    with planned(desk.ledger, old, new, look=look, read=read) as plan:
        yield plan


@dataclass(slots=True)
class CarryingOut:
    """A plan that is to be carried out in the transaction that puts its mappings in force."""

    plan: EffectPlan
    override_unsafe: bool = False
    run: int = 0
    """The run that was begun; 0: none yet, or there is nothing to do."""

    @property
    def told(self) -> dict[str, Any]:
        """Return what it comes to, without anybody's values."""
        return self.plan.summary.as_data(samples=False)

    def begin(self, tx: Tx) -> None:
        """Begin; raises what `start` raises, and then nothing is to be put in force."""
        context = self.plan.change.new
        self.run = start(tx, context, self.plan, override_unsafe=self.override_unsafe)


def confirm(desk: Desk, plan: EffectPlan, *, override_unsafe: bool = False) -> int:
    """Begin to carry out a plan for mappings that are in force, in the name of the desk's actor.

    Return the id of the run; 0 where there is nothing to do. Raises what `start` raises.
    """
    context = plan.change.new
    with desk.ledger.transaction() as tx:
        run_id = start(tx, context, plan, override_unsafe=override_unsafe)
        detail = {"run": run_id, "writes": plan.writes, "override_unsafe": override_unsafe}
        desk.write_down(tx, "mappings applied", f"revision {context.mapping_revision}", detail)
    desk.announce()
    return run_id


def under_way(desk: Desk) -> RunState | None:
    """Return the run of an earlier change that has not gone through all tickets; None: none."""
    with desk.ledger.read() as tx:
        runs = run_records.recent(tx, MAX_RUNS, kinds=[remapping.RUN])
        left = [run for run in runs if run.finished_at is None]
        return next(iter(run_states.of(tx, left, desk.now())), None)


def refuse_beside(desk: Desk) -> None:
    """Raise Busy while an earlier change goes through the tickets, for what is planned is not so.

    A plan takes the tickets as they are, and half of them are about to be others.
    """
    if (run := under_way(desk)) is not None:
        so_far = f"{run.what}: {run.phases[0].done} of {run.phases[0].total} tickets"
        then = f"let it go through them first; `bridge runs show {run.id}` shows how far it is"
        if run.state == "paused":
            so_far += ", paused"
            then = f"`bridge runs resume {run.id}` lets it end, `bridge undo {run.id}` gives it up"
        raise Busy(f"run {run.id} ({so_far}) is for an earlier change: {then}")


def start(tx: Tx, context: Context, plan: EffectPlan, *, override_unsafe: bool = False) -> int:
    """Begin to carry a plan out, by mappings that are in force once the transaction ends.

    Return the id of the run; 0 where there is nothing to do, not even to read anew. Raises
    NotPossible when it is more than the guard lets through, unless `override_unsafe`; Busy while
    the run of an earlier change goes through the tickets.
    """
    if plan.summary.unsafe and not override_unsafe:
        raise NotPossible(
            f"the change is unsafe, and nothing was done: {'; '.join(plan.summary.unsafe)}. Look "
            "at `bridge mappings effect`, then say --override-unsafe"
        )
    known, to = _readings(context, plan.change)
    place = _place(context, plan)
    if place is None or not plan.summary.looked_at:
        return 0
    now = context.clock.now()
    run_id = remapping.begin(
        tx,
        *place,
        now,
        links_there=plan.summary.looked_at,
        planned=plan.writes,
        revision=context.mapping_revision,
    )
    if run_id is None:
        raise Busy(
            "the tickets are still gone through for an earlier change: let that end first "
            "(`bridge runs` shows it, and whether it is paused)"
        )
    for number, told in enumerate(plan.parts()):
        part = RemapPart(run=run_id, known=known, to=to, approved=override_unsafe, **told)
        remapping.add_part(tx, part, number, *place, now)
    return run_id


def _readings(
    context: Context, change: MappingChange
) -> tuple[dict[str, dict[str, dict[str, list[str]]]], dict[str, dict[str, dict[str, str]]]]:
    """Return what is read anew, and by which revisions: by sync, connection and field."""
    known: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(dict)
    to: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for name, sync in context.syncs.items():
        stored: KnownReadings = change.known(name)
        for connection, fields in change.changed(name).items():
            alike = sorted(set(fields) & stored[connection].keys())
            if alike:
                mapped = context.maps[connection][sync.entity].fields
                known[name][connection] = {each: list(stored[connection][each]) for each in alike}
                to[name][connection] = {each: mapped[each].revision for each in alike}
    return dict(known), dict(to)


def _place(context: Context, plan: EffectPlan) -> tuple[str, str] | None:
    """Return under which connection and entity the run is listed; None: there is nothing to do."""
    for name, sync in context.syncs.items():
        for connection, fields in plan.change.changed(name).items():
            if fields:
                return connection, sync.entity
    places = sorted(place for place, count in plan.summary.updates.items() if count)
    written = sorted({(connection, "ticket") for connection, _op in plan.summary.writes})
    return next(iter([*places, *written]), None)
