"""Carrying out what a change of the mappings was confirmed to do, and nothing else.

All links are gone through once. What their sides showed last is read anew in the ledger, so that
the state moves and no later edit is taken for a first contact. Where the plan of a link is the one
that was confirmed, the writes are raised as work of this run, in the lowest lane; `bridge undo`
takes them back together. Where it is another, somebody has edited the ticket since: the run leaves
it alone, and says so in its timeline.

A run is many rows of work, a part of the links each: a worker may be killed anywhere, and a part
goes on from where it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from bridge.core.merge.rereading import FreshValues, KnownReadings, reread
from bridge.core.model.state import NEVER, Link, Note
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, transact
from bridge.flow import commit, confirmed
from bridge.flow.replan import WantedWork, replan
from bridge.ledger import changes as ledger_changes
from bridge.ledger import links, run_records, run_writes, taking, work
from bridge.ledger.changes import Changes
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.ledger.taking import Asked
from bridge.ledger.work import NewWork

KIND: Final = "remap"
RUN: Final = "mapping"
"""The kind of the run, as `bridge status` lists it."""
LANE: Final = "backfill"
"""Of the writes: nobody waits for them."""
BATCH: Final = 50
"""Links in one transaction."""
MAX_TURN: Final = timedelta(seconds=3)
SOON: Final = timedelta(seconds=1)

ConfirmedOps = Mapping[str, Mapping[str, list[str]] | str]
"""Connection -> by field the digests of what may be sent; `create` or `remove` in place of it."""


@dataclass(frozen=True, slots=True)
class RemapPart:
    """A part of a run: the links whose ids lie between two."""

    run: int
    after: str
    upto: str
    known: Mapping[str, Mapping[str, Mapping[str, list[str]]]]
    """Sync -> connection -> field -> revisions whose stored values are read anew."""
    to: Mapping[str, Mapping[str, Mapping[str, str]]]
    """Sync -> connection -> field -> the revision that the change has brought in force."""
    links: Mapping[str, ConfirmedOps] = field(default_factory=dict)
    fresh: Mapping[str, FreshValues] = field(default_factory=dict)
    """By link: what was read for the plan, for the ledger did not know it."""
    approved: bool = False
    """An admin has seen that it is more than the guard lets through."""
    busy: list[str] = field(default_factory=list)
    """Links that others had in hand; they are looked at last."""

    @classmethod
    def of(cls, payload: Mapping[str, Any] | None) -> Self:
        """Return the part that a row of work is about."""
        return cls(**(payload or {}))

    def known_here(self, context: Context, sync: str) -> KnownReadings:
        """Return what is read anew of a sync's links: no field that changed once more since."""
        if (named := context.syncs.get(sync)) is None:
            return {}
        return {
            connection: {
                name: revisions
                for name, revisions in fields.items()
                if name in (mapped := context.maps[connection][named.entity].fields)
                and mapped[name].revision == self.to[sync][connection][name]
            }
            for connection, fields in self.known.get(sync, {}).items()
            if connection in named.members
        }


def begin(
    tx: Tx,
    connection: str,
    entity: str,
    now: datetime,
    *,
    links_there: int,
    planned: int,
    revision: int | None,
) -> int | None:
    """Begin a run and return its id; None while another one there has links to go through."""
    of = {"kind": RUN, "connection": connection, "entity": entity}
    run_id = run_records.begin(tx, **of, due=now, now=now)
    if run_id is None:
        return None
    figures: RunFigures = {"links": links_there, "planned": planned}
    if revision is not None:
        figures["mapping_revision"] = revision
    run_records.progress(tx, run_id, cursor=None, seen=0, hinted=0, now=now, figures=figures)
    return run_id


def add_part(
    tx: Tx, part: RemapPart, number: int, connection: str, entity: str, now: datetime
) -> None:
    """Queue a part of a run."""
    work.enqueue(
        tx,
        kind=KIND,
        key=f"{run_writes.part_keys(part.run)}{number:06}",
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
        payload=asdict(part),
        run_id=part.run,
    )


def go_through(context: Context, task: Task) -> Procedure:
    """Go through a part, a batch of links in each transaction."""
    began = context.clock.now()
    while (yield from transact(lambda tx: _batch(tx, context, task, began))):
        pass


def failed(tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:
    """Store why a part failed; it is tried again for as long as others would be."""
    part = RemapPart.of(task.row.payload)
    if again:
        run_records.note_failure(tx, part.run, why)
        return True
    _end(tx, context, task, part, why)
    return False


def _batch(tx: Tx, context: Context, task: Task, began: datetime) -> bool:
    """Go on with a part; return whether more of it is left for now."""
    part, now = RemapPart.of(task.row.payload), context.clock.now()
    run = run_records.get(tx, part.run)
    if run is not None and run.error == run_records.STOPPED:
        work.finish(tx, task.row, task.owner, now)
        return False
    ids = links.ids_between(tx, part.after, part.upto, BATCH)
    rest = not ids
    if rest:
        ids, part = part.busy[:BATCH], replace(part, busy=part.busy[BATCH:])
    busy, raised, left = _look_at(tx, context, task, part, ids)
    part = replace(part, busy=[*part.busy, *busy], after=part.after if rest else ids[-1])
    payload, until = asdict(part), now + context.lease(context.connections)
    if not run_records.extend_claim(tx, task.row, task.owner, payload, until):
        return False  # our claim ran out, and another worker goes on with it
    task.row = replace(task.row, payload=payload)
    seen = len(ids) - len(busy)
    run_records.progress(tx, part.run, cursor=None, seen=seen, hinted=raised, now=now)
    run_records.add_to_figures(tx, part.run, {"left alone": left})
    if rest and run is not None:
        _note_who_comes_first(tx, run, busy)
    if not ids and not part.busy:
        _end(tx, context, task, part, "")
        return False
    if (rest and busy) or now - began > MAX_TURN:
        due = now + SOON if rest and busy else now
        work.reschedule(tx, task.row, task.owner, due, count=False, lane="reconcile")
        return False
    return True


def _note_who_comes_first(tx: Tx, run: RunRow, busy: Collection[str]) -> None:
    """Store which runs are to write first to links that are all that is left to look at."""
    first = run_writes.writing_to(tx, busy, RUN) - {run.id} if busy else set()
    if not first <= {*run.figures.get("comes_after", ())}:
        run_records.add_to_comes_after(tx, run.id, first)


def _end(tx: Tx, context: Context, task: Task, part: RemapPart, error: str) -> None:
    """End a part, and with the last one the run."""
    now = context.clock.now()
    run_writes.lock(tx, part.run)
    work.finish(tx, task.row, task.owner, now)
    if not run_writes.parts_left(tx, part.run):
        run_records.finish(tx, part.run, now, error=error)


def _look_at(
    tx: Tx, context: Context, task: Task, part: RemapPart, ids: list[str]
) -> tuple[list[str], int, int]:
    """Read links anew, and raise what was confirmed of each.

    Return those that others have in hand, how many pieces of work were raised, and how many links
    were left alone.
    """
    now, lease = context.clock.now(), context.lease(context.connections)
    asked = [Asked(f"{task.token}:{link_id}", lease, link_id) for link_id in ids]
    steps: list[Changes] = []
    busy: list[str] = []
    left = 0
    for question, taken in zip(asked, taking.take(tx, asked, now), strict=True):
        each = Task(task.row, task.owner, question.owner)
        if not each.hold(context, taken):
            busy.append(question.link_id)
            continue
        if _awaits_another(each):
            each.give_back(tx)
            busy.append(question.link_id)
            continue
        step = _step(context, each, part)
        left += any(note.kind == confirmed.LEFT_ALONE for note in step.notes)
        steps.append(step)
    if steps:
        ledger_changes.store(tx, steps, now)
    return busy, sum(len(step.raised) for step in steps), left


def _awaits_another(task: Task) -> bool:
    """Return whether what another run was confirmed to write to a link is still to be written.

    A row of work has place for one run's writes: the later run comes once the earlier has written.
    """
    return any(confirmed.CONFIRMED in row.payload and not row.is_parked for row in task.link_work)


def _step(context: Context, task: Task, part: RemapPart) -> Changes:
    """Return what becomes of one link."""
    link, to = commit.the_link(task), commit.changes(context, task, ends=True)
    sync, ops = context.syncs.get(link.sync), part.links.get(link.id, {})
    if sync is None:
        return to
    known, fresh = part.known_here(context, link.sync), part.fresh.get(link.id)
    behind = _behind(link)
    notes = reread(link, context.rules(sync), known, fresh)
    moved = bool(notes)
    wanted = replan(context, link, task.link_work, to.now, lane=LANE, run_id=part.run)
    kept = [new for new in wanted.work if _is_confirmed(new, wanted, ops)]
    to.raised += [_with_confirmation(new, ops, approved=part.approved) for new in kept]
    edits = [new for new in wanted.work if new not in kept and _is_an_edit(new, wanted, behind)]
    to.raised += [replace(new, lane="reconcile", run_id=None, payload=None) for new in edits]
    raised = {new.connection for new in kept}
    notes += _not_raised(task, wanted, ops, raised)
    if moved or ops:
        others = {new.connection for new in wanted.work if new not in edits}
        notes += [
            confirmed.left_alone(task, each, (), due=_due(wanted, each))
            for each in sorted(others - raised - ops.keys())
        ]
    commit.tell(task, to, [*notes, *wanted.notes])
    return to


def _not_raised(
    task: Task, wanted: WantedWork, ops: ConfirmedOps, raised: Collection[str]
) -> list[Note]:
    """Return the lines for what was confirmed and is not raised."""
    return [
        confirmed.left_alone(
            task,
            connection,
            values if isinstance(values, Mapping) else (),
            due=_due(wanted, connection),
        )
        for connection, values in ops.items()
        if connection not in raised
    ]


def _behind(link: Link) -> set[tuple[str, str]]:
    """Return the connections and fields that were level once, and lack what was agreed since."""
    return {
        (connection, name)
        for connection, side in link.live().items()
        for name, entry in side.fields.items()
        if (state := link.state.get(name)) is not None and NEVER < entry.level < state.rev
    }


def _is_an_edit(new: NewWork, wanted: WantedWork, behind: Collection[tuple[str, str]]) -> bool:
    """Return whether work only brings a side to what somebody has said elsewhere meanwhile.

    That was not sent when it was said, for until it is read anew a side is no base to write from.
    """
    due = _due(wanted, new.connection) if new.kind == "deliver" else ()
    return bool(due) and all((new.connection, name) in behind for name in due)


def _is_confirmed(new: NewWork, wanted: WantedWork, ops: ConfirmedOps) -> bool:
    """Return whether work was confirmed: of a delivery its first call, as it would be made."""
    values = ops.get(new.connection)
    if values is None:
        return False
    if not isinstance(values, Mapping):
        return values == new.kind
    return new.kind == "deliver" and confirmed.covers_any(
        values, wanted.calls[new.connection][0].sent
    )


def _with_confirmation(new: NewWork, ops: ConfirmedOps, *, approved: bool) -> NewWork:
    payload: dict[str, Any] = {"approved": True} if approved else {}
    if new.kind == "deliver":
        payload[confirmed.CONFIRMED] = ops[new.connection]
    return replace(new, payload=payload or None)


def _due(wanted: WantedWork, connection: str) -> Collection[str]:
    calls = wanted.calls.get(connection)
    return calls[0].sent if calls else ()
