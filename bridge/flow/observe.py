"""Observe: read one record's present state and merge what changed. A hint only says where to look."""

from __future__ import annotations

from datetime import datetime

from bridge.connectors.contract import Record
from bridge.core.merge import lifecycle, observations
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, read_record, transact
from bridge.flow import people
from bridge.flow.commit import conclude, later, take_lease, the_link, verdict
from bridge.flow.match import first_sight, out_of_scope
from bridge.flow.readings import Reading, merge_observation, merge_record, observation
from bridge.ledger import attempts, links, webhook_inbox
from bridge.ledger.database import Tx

BUSY = "busy"


def observe(context: Context, task: Task) -> Procedure:
    """Read the row's record under its link's lease, absorb it, plan again, and settle the webhooks that waited."""
    ref = Ref(task.row.connection, task.row.entity, str(task.row.remote_id))

    def begin(tx: Tx) -> tuple[str | None, int]:
        upto = webhook_inbox.last_pending(tx, ref.connection, ref.entity, ref.id)
        link_id = links.of_refs(tx, [ref]).get(ref)
        if link_id is None:
            return None, upto
        if not take_lease(tx, context, task, link_id):
            return BUSY, upto
        return link_id, upto

    link_id, upto = yield from transact(begin)
    if link_id is None:
        yield from first_sight(context, task, ref, upto)
        return
    if link_id == BUSY:
        return
    link = the_link(task)
    side = link.sides[ref.connection]
    if (wait := still_open(context, link, side)) is not None:
        yield from transact(lambda tx: later(tx, task, wait))
        return
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    if record is not None and people.news(context, ref.connection, record.people):
        # Before the merge: in it, somebody who is not known yet is what `unmapped` says of
        # strangers.
        shown = record.people
        yield from transact(
            lambda tx: people.learn(tx, context, ref.connection, shown, context.clock.now())
        )
    yield from take_in(context, task, ref, record, upto)


def still_open(context: Context, link: Link, side: Side) -> datetime | None:
    """Give the time until which an open attempt of this side must be left to itself (rule F3)."""
    if side.attempt is None:
        return None
    until = side.attempt.send_by + context.settling_time(side.connection, link.entity)
    return until if context.clock.now() < until else None


def take_in(context: Context, task: Task, ref: Ref, record: Record | None, upto: int) -> Procedure:
    """Merge what was read, a record or its absence, and commit it."""
    if record is not None:
        yield from take_record(context, task, ref, record, upto)
        return
    found = yield from gone(context, task, the_link(task).sides[ref.connection])
    yield from transact(lambda tx: settle(tx, context, task, ref, found, upto))


def take_record(context: Context, task: Task, ref: Ref, record: Record, upto: int) -> Procedure:
    """Merge a record that was read, and commit it."""
    link = the_link(task)
    sync, side = context.syncs[link.sync], link.sides[ref.connection]
    if side.attempt is None and (why := out_of_scope(sync, ref, record)):
        notes = lifecycle.leave_scope(
            link, ref.connection, context.clock.now(), context.rules(sync)
        )
        found = Reading("out of scope", why, notes)
    elif side.detached:
        found = Reading("out of scope", f"{ref} was detached by hand", [])
    elif not side.in_scope and sync.leave_scope == "detach":
        found = Reading("out of scope", f"{ref} has left the scope for good", [])
    else:
        found = merge_record(context, task.row, link, side, record)

    def commit(tx: Tx) -> None:
        people.learn(tx, context, ref.connection, record.people, context.clock.now())
        settle(tx, context, task, ref, found, upto)

    yield from transact(commit)


def settle(tx: Tx, context: Context, task: Task, ref: Ref, found: Reading, upto: int) -> None:
    """Commit what a reading came to: the attempt that it closes, the webhooks' verdict, the link, what follows."""
    now = context.clock.now()
    if found.closes is not None:
        attempts.close(tx, found.closes, "settled by a read", None, now, None)
    if found.verdict != "pending":
        verdict(tx, ref, upto, found.verdict, found.why, now)
    conclude(tx, context, task, found.notes, again_at=found.again_at)


def gone(context: Context, task: Task, side: Side) -> Steps[Reading]:
    """Nothing was found: looked for twice, it is believed, and its end travels as the sync says."""
    link = the_link(task)
    settle = context.settling_time(side.connection, link.entity)
    now = context.clock.now()
    others = (yield from look_around(context, task, side)) if side.missing_since is not None else []
    rules = context.rules(context.syncs[link.sync])
    notes = [
        *others,
        *lifecycle.record_missing(link, side.connection, now, settle.total_seconds(), rules),
    ]
    if side.tombstone:
        return Reading("applied", "the record is gone", notes)
    return Reading("pending", "", notes, again_at=now + settle)


def look_around(context: Context, task: Task, gone: Side) -> Steps[list[Note]]:
    """Read the other sides of a link whose record has gone: an edit there may speak against closing it (rule F21)."""
    link = the_link(task)
    notes: list[Note] = []
    for side in link.live().values():
        if side is gone or side.attempt is not None:
            continue
        record = yield from read_record(
            side.connection, link.entity, side.remote_id, task.deadline(context, side.connection)
        )
        if record is None:
            continue
        seen = observation(record, context.maps[side.connection][link.entity], link.parent_id)
        if observations.is_believable(
            side, seen, context.settling_time(side.connection, link.entity).total_seconds()
        ):
            notes += merge_observation(context, link, side, seen)[0]
    return notes
