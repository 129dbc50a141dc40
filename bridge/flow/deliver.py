"""Deliver: bring one side level with the state, by one call at a time, each written down before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.connectors.contract import Connector, Record
from bridge.core.merge import guard, observations
from bridge.core.merge.equality import same_raw
from bridge.core.model.capabilities import Support
from bridge.core.model.state import Attempt, Note, Side
from bridge.core.model.values import ABSENT, Marker, Ref, Unreadable
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.planner import forget_tried, mark_tried
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, read_record, transact
from bridge.errors import (
    AlreadyExists,
    Lacking,
    LeaseLost,
    NotFound,
    Refused,
    RemoteError,
    UnknownOutcome,
)
from bridge.flow import call_parts, field_refusals
from bridge.flow.absorbing import absorbed
from bridge.flow.commit import conclude, later, save, take_lease, the_link
from bridge.flow.observe import still_open, take_in
from bridge.flow.readings import observation
from bridge.flow.replan import leftover, plan_member
from bridge.flow.vain_writes import put_off
from bridge.ledger import attempts, links, matching, probes, work
from bridge.ledger.database import Tx


@dataclass(frozen=True, slots=True)
class Moved:
    """The record does not read as the plan assumed (None: it is gone): nothing was sent."""

    record: Record | None


def deliver(context: Context, task: Task) -> Procedure:
    """Lease, plan from the ledger, write down the attempt; then read, and write only onto what was planned for."""

    def begin(tx: Tx) -> tuple[Side | None, PlannedCall | None]:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None, None
        return start(tx, context, task)

    side, call = yield from transact(begin)
    if side is None:
        return
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)
    if call is not None:
        yield from send(context, task, ref, side, call)
        return
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    yield from take_in(context, task, ref, record, 0)


def start(tx: Tx, context: Context, task: Task) -> tuple[Side | None, PlannedCall | None]:
    """Give the side and the call to be sent; no call: a read has to close an older attempt, or to find the record.

    No side: there is nothing to be done now, and the row is settled.
    """
    link = the_link(task)
    side = link.live().get(task.row.connection)
    if side is None:
        conclude(tx, context, task, [])
        return None, None
    if (wait := still_open(context, link, side)) is not None:
        later(tx, task, wait)
        return None, None
    if side.missing_since is not None or (
        side.attempt is not None and not leftover(context, link, side)
    ):
        return side, None
    call = prepare(tx, context, task, side)
    return (side, call) if call is not None else (None, None)


def prepare(tx: Tx, context: Context, task: Task, side: Side) -> PlannedCall | None:
    """Plan, and commit the attempt of the first call; conclude when nothing is left to do."""
    link, now = the_link(task), context.clock.now()
    found = plan_member(context, link, side.connection)
    calls = call_parts.without_refused(tx, context, link, side.connection, found.calls)
    if not calls:
        conclude(tx, context, task, found.notes)
        return None
    call = field_refusals.owed(context, task, calls)
    if put_off(tx, context, task, side) or hold(tx, context, task, side, len(call.destructive)):
        return None
    attempt = Attempt(
        id=context.fresh_id(),
        verb=call.verb,
        sent=dict(call.sent),
        before=dict(call.before),
        values=dict(call.state_values),
        revs=dict(call.revs),
        send_by=context.send_by(side.connection),
        call=dict(call.values),
        version=side.version,
    )
    if side.attempt is not None:
        attempts.close(tx, side.attempt.id, "partly readable", None, now, None)
    observations.open_attempt(side, attempt)
    mark_tried(link, side.connection, call)
    save(tx, task, found.notes, now)
    attempts.begin(
        tx, link.id, side, now, destructive=len(call.destructive), run_id=task.row.run_id
    )
    return call


def hold(tx: Tx, context: Context, task: Task, side: Side, destroyed: int) -> bool:
    """Park the work if it would destroy more in an hour than the sync's guard lets through; True if it did."""
    if not destroyed or (task.row.payload or {}).get("approved"):
        return False
    now, link = context.clock.now(), the_link(task)
    # Of several workers that are about to destroy something, each must see what the one before has
    # written down.
    matching.lock(tx, "destructive", [side.connection])
    recent = attempts.count_destructive(tx, side.connection, now - timedelta(hours=1))
    # Of its own kind: an account with many customers may not lose its tickets for that.
    records = links.count_sides(tx, side.connection, link.entity)
    held = guard.destructive_held(recent, destroyed, records, context.syncs[link.sync].guard)
    if held is None:
        return False
    save(tx, task, [Note("unsafe", side.connection, "", {"why": held})], now)
    work.park(tx, task.row, task.owner, held, "unsafe", now)
    task.give_back(tx)
    return True


def send(context: Context, task: Task, ref: Ref, side: Side, call: PlannedCall) -> Procedure:
    """Send the attempt that was committed; whatever comes back is an observation."""
    attempt = side.attempt
    if attempt is None:
        raise RuntimeError("no attempt was committed")
    started = context.clock.now()
    settle = context.settle(ref.connection, ref.entity)
    if started >= attempt.send_by:
        raise LeaseLost("the worker was held up past the attempt's own deadline; nothing was sent")
    try:
        answer = yield from call_vendor(
            ref.connection,
            lambda c: compare_and_write(c, ref, call, side, context, attempt.send_by),
            attempt.send_by,
            weight=2,
        )
    except UnknownOutcome as error:
        why = str(error)
        yield from transact(lambda tx: unknown(tx, context, task, why, attempt, settle))
        return
    except (RemoteError, LeaseLost) as error:
        # Refused for certain, or never sent: the attempt is void, and the error takes its usual
        # way.
        why = str(error)
        yield from transact(
            lambda tx: drop(tx, context, task, call, attempt, turned_away(ref, why))
        )
        raise
    if isinstance(answer, field_refusals.Denied):
        denied = answer.error
        if not (
            yield from transact(lambda tx: refused(tx, context, task, ref, call, attempt, denied))
        ):
            raise denied
        return
    if isinstance(answer, Moved):
        moved = Note("planned again", ref.connection, "", {"why": "the record has changed"})
        yield from transact(lambda tx: drop(tx, context, task, call, attempt, [moved]))
        yield from take_in(context, task, ref, answer.record, 0)
        return
    yield from take_answer(context, task, ref, call, attempt, answer, started)


def compare_and_write(
    connector: Connector,
    ref: Ref,
    call: PlannedCall,
    side: Side,
    context: Context,
    send_by: datetime,
) -> Record | Moved | field_refusals.Denied | None:
    """Read, and write at once if the call's fields still read as they did when it was planned.

    Nothing of ours lies between the read and the write, so an edit can only be overlooked within
    one round trip.
    """
    record = connector.read(ref.entity, [ref.id])[ref.id]
    if record is None or not as_planned(record, call, side, context):
        return Moved(record)
    if context.clock.now() >= send_by:
        raise LeaseLost(f"{ref}: the read took past the attempt's deadline; nothing was sent")
    try:
        return connector.update(ref, call.verb, call.values)
    except Refused as error:
        return field_refusals.Denied(error)
    except (NotFound, AlreadyExists) as error:
        if connector.read(ref.entity, [ref.id])[ref.id] is None:
            raise
        return field_refusals.Denied(
            error
        )  # the record is there: it is something in the call that is not, or is already


def as_planned(record: Record, call: PlannedCall, side: Side, context: Context) -> bool:
    """Tell whether every field that the call sets reads as before; one that could not be read may still be tried."""
    mapped = context.maps[side.connection][record.ref.entity]
    shown = observation(record, mapped).values
    for name, before in call.before.items():
        value = shown.get(name, ABSENT)
        if isinstance(value, Marker | Unreadable):
            if not side.fields[name].unreadable:
                return False
        elif not same_raw(mapped.fields[name], before, value):
            return False
    return True


def take_answer(
    context: Context,
    task: Task,
    ref: Ref,
    call: PlannedCall,
    attempt: Attempt,
    answer: Record | None,
    started: datetime,
) -> Procedure:
    """Absorb what the write was answered with (an empty answer: one read) and commit it."""
    side = the_link(task).sides[ref.connection]
    if answer is None:
        answer = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
        own = False
    else:
        own = True
    took = round((context.clock.now() - started).total_seconds() * 1000)
    if answer is None:
        yield from take_in(context, task, ref, None, 0)
        return
    # `seen` is the time of sending: what the answer shows of other fields was so no earlier than
    # that.
    mapped = context.maps[ref.connection][ref.entity]
    seen = observation(answer, mapped, the_link(task).parent_id, own=own, sent_at=started)
    proved = {
        name: raw
        for name, raw in attempt.sent.items()
        if mapped.fields[name].write_key in answer.proved
    }
    notes, _closed = absorbed(
        the_link(task), side, replace(seen, values={**seen.values, **proved}), context
    )
    told = {"verb": call.verb, "sent": call.sent} | task.of_run()
    wrote = Note("wrote", ref.connection, ", ".join(sorted(call.sent)), told)
    outcome = "done" if side.attempt is None else "partly readable"

    def commit(tx: Tx) -> None:
        now = context.clock.now()
        ignored = learn(tx, context, ref.entity, side, call, now)
        if side.attempt is None:
            attempts.close(tx, attempt.id, outcome, shadows(side, call), now, took)
        conclude(tx, context, task, [wrote, *notes, *ignored])
        field_refusals.go_on(tx, task, call)

    yield from transact(commit)


def shadows(side: Side, call: PlannedCall) -> dict[str, object]:
    """Give what the call's fields read as now."""
    return {name: side.fields[name].shadow for name in call.sent if name in side.fields}


def learn(
    tx: Tx, context: Context, entity: str, side: Side, call: PlannedCall, now: datetime
) -> list[Note]:
    """Remember whether an uncertain capability worked: written once and read back, it did or it never will."""
    writable = context.capabilities[side.connection][entity].writable
    mapped = context.maps[side.connection][entity].fields
    known = context.probes.setdefault(side.connection, {})
    notes = []
    for name, sent in call.sent.items():
        key = mapped[name].write_key
        if (
            key is None
            or writable[key].on_update is not Support.PROBED
            or key in known
            or name not in side.fields
        ):
            continue
        shown = side.fields[name].shadow
        if sent == call.before.get(name):
            continue
        works = shown != call.before.get(name)
        why = f"{key} was {'taken' if works else 'ignored'} when first written"
        probes.record(tx, side.connection, key, works, why, now)
        known[key] = works
        if not works:
            notes.append(Note("not carried", side.connection, name, {"why": why}))
    return notes


def unknown(
    tx: Tx, context: Context, task: Task, why: str, attempt: Attempt, settle: timedelta
) -> None:
    """Leave the attempt open; one read after settling tells what became of it. Nothing of it is sent any more."""
    attempt.send_by = min(attempt.send_by, context.clock.now())
    save(
        tx,
        task,
        [Note("unknown outcome", task.row.connection, "", {"why": why})],
        context.clock.now(),
    )
    later(tx, task, attempt.send_by + settle)


def refused(
    tx: Tx,
    context: Context,
    task: Task,
    ref: Ref,
    call: PlannedCall,
    attempt: Attempt,
    error: RemoteError,
) -> bool:
    """Void the attempt, and settle what can be settled field by field; False when the call as a whole is wrong."""
    # An element that the system lacks is no error: the timeline says once that it is not carried.
    drop(
        tx,
        context,
        task,
        call,
        attempt,
        [] if isinstance(error, Lacking) else turned_away(ref, str(error)),
    )
    return refused_probe(tx, context, task, ref, call, str(error)) or field_refusals.trace(
        tx, context, task, call, error
    )


def refused_probe(
    tx: Tx, context: Context, task: Task, ref: Ref, call: PlannedCall, why: str
) -> bool:
    """A refusal of keys that nobody knew to work is an answer: remember it, and plan without them. True if it was."""
    writable = context.capabilities[ref.connection][ref.entity].writable
    known = context.probes.setdefault(ref.connection, {})
    unproven = [
        key for key in call.values if writable[key].on_update is Support.PROBED and key not in known
    ]
    for key in unproven:
        probes.record(tx, ref.connection, key, False, why, context.clock.now())
        known[key] = False
    if unproven:
        conclude(tx, context, task, [])
    return bool(unproven)


def turned_away(ref: Ref, why: str) -> list[Note]:
    """Give the line for a call that came to nothing."""
    return [Note("refused", ref.connection, "", {"why": why})]


def drop(
    tx: Tx, context: Context, task: Task, call: PlannedCall, attempt: Attempt, notes: list[Note]
) -> None:
    """Void a call that certainly did not reach the record.

    What the attempt has taken over from an older one, whose fate could not be read yet, stays open:
    it may well have landed, and is told from a human's edit only as long as it is known.
    """
    now, side = context.clock.now(), the_link(task).sides[task.row.connection]
    forget_tried(the_link(task), side.connection, call)
    for name in call.sent:
        attempt.sent.pop(name, None)
    if not attempt.sent:
        side.attempt = None
        attempts.close(tx, attempt.id, "refused", None, now, None)
    save(tx, task, notes, now)
