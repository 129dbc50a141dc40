"""The write protocol: the only way in which a record that exists is changed or deleted.

0. `await_grant_to_write` waits until the budget lets the call be made: a worker that dies while it
   waits leaves nothing behind.
1. What `written_down` adds to a step is committed before anything is sent: the attempt, with all
   that it will change. A worker that dies from here on leaves behind what a later read needs to
   know (rule F3).
2. `send_attempt` makes one remote call, `compare_and_write` or `compare_and_delete`: it reads the
   record and, only if that still reads as the plan assumed, writes at once (rule F2), and never
   after the attempt's deadline (rule F4).
3. What came of it decides what becomes of the attempt:

   | outcome                        | the attempt          | what follows                         |
   | ------------------------------ | -------------------- | ------------------------------------ |
   | answered                       | the caller closes it | the answer is a reading, to be       |
   |                                |                      | merged (rule F1)                     |
   | `Moved`: not as planned        | void                 | what was read is merged, and planned |
   |                                |                      | anew                                 |
   | `Denied`: what the call        | the caller voids it  | deliver looks for the field that is  |
   | carries is refused             |                      | refused                              |
   | another error, or no call      | void                 | the error goes on, to                |
   | before the deadline            |                      | `engine.outcomes`                    |
   | `Unknown`: no answer           | left open            | nothing is written there until a     |
   |                                |                      | read, after the settling time, has   |
   |                                |                      | told whether it landed               |

Deliver, delete and undo plan what is written, and say what a good answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from bridge.connectors.contract import Connector, Record
from bridge.connectors.left_out import read_one
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge import guard, observations
from bridge.core.merge.equality import same_raw
from bridge.core.model.state import Attempt, Link, Note, Side
from bridge.core.model.values import ABSENT, Marker, Ref, Unreadable
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.planner import forget_tried, mark_tried
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, await_grant, call_vendor, look
from bridge.errors import (
    AlreadyExists,
    BridgeError,
    LeaseLost,
    NotFound,
    Refused,
    RemoteError,
    UnknownOutcome,
)
from bridge.flow import call_parts
from bridge.flow.commit import save_and_park, saved, store_step, tell, the_link
from bridge.flow.readings import observation
from bridge.flow.replan import leftover, plan_member, still_open
from bridge.ledger import attempts, links, matching, taking
from bridge.ledger.attempts import ClosedAttempt
from bridge.ledger.changes import Changes, PutOff
from bridge.ledger.database import Tx

T = TypeVar("T")

DELETE: Final = "delete"
"""The verb of an attempt that deletes the record."""
DELETION: Final = PlannedCall(DELETE, body={}, sent={}, before={}, state_values={}, revs={})
"""The call that deletes a record: it sets no field."""
WEIGHT: Final = 2
"""Calls of the budget that a write takes: the read, and what follows it."""
REFUSED: Final = "refused"
"""Outcome of an attempt, and kind of note: nothing of the write reached the record."""
UNKNOWN: Final = "unknown outcome"
"""Kind of note: the write may have happened or not."""


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """A write whose attempt is committed, and not closed yet."""

    ref: Ref
    side: Side
    attempt: Attempt
    call: PlannedCall
    tells: frozenset[str]
    """Which bad outcomes the timeline mentions."""

    def notes(self, kind: str, why: str) -> list[Note]:
        """Return the line of the timeline for a bad outcome."""
        return [Note(kind, self.ref.connection, "", {"why": why})] if kind in self.tells else []


@dataclass(frozen=True, slots=True)
class Moved:
    """The record does not read as the plan assumed (None: it is gone): nothing was sent."""

    record: Record | None


@dataclass(frozen=True, slots=True)
class Denied:
    """The vendor refused what the call carries; the record is there, for the read was answered."""

    error: RemoteError


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer came. The attempt is open, and the work comes up again after the settling time."""


# --- before: may it be done, and writing it down


def await_grant_to_write(context: Context, task: Task) -> Procedure:
    """Wait for the budget if a write is owed as things stand, before the link is leased for it.

    So others may work on the link meanwhile, and the write is planned when it can be sent.
    """
    if (yield from look(lambda tx: is_owed(tx, context, task))):
        connection = task.row.connection
        yield from await_grant(connection, context.send_by(connection), weight=WEIGHT)


def is_owed(tx: Tx, context: Context, task: Task) -> bool:
    """Return whether something is to be written to the side now, as the ledger has it."""
    link_id, connection = str(task.row.link_id), task.row.connection
    link = context.load(tx, [link_id]).get(link_id)
    side = link.live().get(connection) if link is not None else None
    if link is None or side is None or still_open(context, link, side) is not None:
        return False
    planned = plan_member(context, link, connection)
    if planned.delete or is_read_first(context, link, side):
        return planned.delete
    rows = taking.of_links(tx, [link_id]).get(link_id, ())
    return bool(call_parts.without_refused(context, link, connection, planned.calls, rows))


def is_read_first(context: Context, link: Link, side: Side) -> bool:
    """Return whether the record has to be read before anything is written: rules F3 and F21."""
    untold = side.attempt is not None and not leftover(context, link, side)
    return untold or side.missing_since is not None


def park_if_unsafe(tx: Tx, context: Context, task: Task, side: Side, destroyed: int) -> bool:
    """Park the work if it would destroy more in an hour than the sync's guard lets through.

    True if it did. Work that an admin has approved goes through.
    """
    if not destroyed or (task.row.payload or {}).get("approved"):
        return False
    now, link = context.clock.now(), the_link(task)
    # Of several workers that are about to destroy something, each must see what the one before has
    # written down.
    matching.lock(tx, "destructive", [side.connection])
    recent = attempts.count_destructive(tx, side.connection, now - timedelta(hours=1))
    # Of its own kind: an account with many customers may not lose its tickets for that.
    records = links.count_sides(tx, side.connection, link.entity)
    why = guard.destructive_held(recent, destroyed, records, context.syncs[link.sync].guard)
    if why is None:
        return False
    note = Note("unsafe", side.connection, "", {"why": why})
    save_and_park(tx, task, note, why, "unsafe", now)
    return True


def written_down(
    context: Context,
    task: Task,
    to: Changes,
    side: Side,
    call: PlannedCall,
    *,
    overtakes: str = "",
    take_over: bool = False,
    version: str | None = None,
    destructive: int = 0,
    notes: Iterable[Note] = (),
    tells: frozenset[str] = frozenset({REFUSED, UNKNOWN}),
) -> OpenWrite:
    """Add to a step, which saves the link, that the call is about to be sent.

    An older attempt that is still open is closed with the outcome `overtakes`. With `take_over`,
    the new one inherits its parts whose fate could not be read yet.
    """
    link = the_link(task)
    attempt = Attempt(
        id=context.fresh_id(),
        verb=call.verb,
        sent=dict(call.sent),
        before=dict(call.before),
        state_values=dict(call.state_values),
        revs=dict(call.revs),
        send_by=context.send_by(side.connection),
        body=dict(call.body),
        version=version,
    )
    if side.attempt is not None:
        to.closed.append(ClosedAttempt(side.attempt.id, to.now, overtakes))
    if take_over:
        observations.open_attempt(side, attempt)
    else:
        side.attempt = attempt
    tell(task, to, list(notes))
    opened = attempts.new(
        link.id,
        side,
        to.now,
        destructive=destructive,
        run_id=task.row.run_id,
        mapping_revision=context.mapping_revision,
    )
    to.opened.append(opened)
    if to.held is not None:
        to.held.known[attempt.id] = opened.detail  # it is stored as it is opened
    ref = Ref(side.connection, link.entity, side.remote_id)
    return OpenWrite(ref, side, attempt, call, tells)


def delivery_written_down(
    context: Context,
    task: Task,
    to: Changes,
    side: Side,
    call: PlannedCall,
    notes: Iterable[Note] = (),
) -> OpenWrite:
    """Add to a step that a call of the present plan is about to be sent; see `written_down`."""
    mark_tried(the_link(task), side.connection, call)
    return written_down(
        context,
        task,
        to,
        side,
        call,
        overtakes="partly readable",
        take_over=True,
        version=side.version,
        destructive=len(call.destructive),
        notes=notes,
    )


# --- the call: read, compare and write in one go


def compare_and_write(
    connector: Connector, context: Context, write: OpenWrite
) -> Record | Moved | Denied | None:
    """Read, and write at once if the call's fields still read as they did when it was planned.

    Return what the write was answered with; None when the answer shows no record. What was refused
    for an edit that came between is no refusal: the record has moved, as if it had been read so.
    """
    ref, call = write.ref, write.call

    def unchanged(record: Record) -> bool:
        entity_map = context.maps[ref.connection][ref.entity]
        return reads_as_planned(record, call, write.side, entity_map)

    def update() -> Record | Moved | Denied | None:
        try:
            return connector.update(ref, call.verb, call.body)
        except (NotFound, AlreadyExists, Refused) as error:
            if isinstance(error, Refused) and error.status is None:
                return Denied(error)  # nothing was sent
            record = read_one(connector, ref)
            if record is None or not unchanged(record):
                return Moved(record)
            # The record is there: it is something in the call that is not, or is already.
            return Denied(error)

    return _compare_then(connector, context, write, unchanged, update)


def compare_and_delete(
    connector: Connector, context: Context, write: OpenWrite, untouched: Callable[[Record], bool]
) -> Moved | None:
    """Read, and delete at once what is untouched. None: it is gone, by our hand or before."""
    outcome = _compare_then(
        connector, context, write, untouched, lambda: connector.delete(write.ref)
    )
    return outcome if outcome is not None and outcome.record is not None else None


def _compare_then(
    connector: Connector,
    context: Context,
    write: OpenWrite,
    unchanged: Callable[[Record], bool],
    act: Callable[[], T],
) -> T | Moved:
    """Read the record, and act on it if it is unchanged and there is still time.

    Nothing of ours lies between the read and the write, so an edit can only be overlooked within
    one round trip.
    """
    ref = write.ref
    record = read_one(connector, ref)
    if record is None or not unchanged(record):
        return Moved(record)
    if context.clock.now() >= write.attempt.send_by:
        raise LeaseLost(f"{ref}: the read ended after its write's deadline; nothing was sent")
    return act()


def reads_as_planned(record: Record, call: PlannedCall, side: Side, entity_map: EntityMap) -> bool:
    """Return whether every field that the call sets reads as before.

    A field that cannot be read may be tried if it could not be read when the call was planned.
    """
    shown = observation(record, entity_map).values
    for name, before in call.before.items():
        value = shown.get(name, ABSENT)
        if isinstance(value, Marker | Unreadable):
            if not side.fields[name].unreadable:
                return False
        elif not same_raw(entity_map.fields[name], before, value):
            return False
    return True


# --- after: what became of it


def send_attempt(
    context: Context, task: Task, write: OpenWrite, act: Callable[[Connector], T]
) -> Steps[T | Unknown]:
    """Make the call of an attempt that was written down, and close or leave it as its fate says."""
    try:
        return (
            yield from call_vendor(write.ref.connection, act, write.attempt.send_by, weight=WEIGHT)
        )
    except UnknownOutcome as error:
        why = str(error)
        yield from leave_open(context, task, write, why)
        return Unknown()
    except BridgeError as error:
        # Refused for certain, or never sent: nobody has to look what became of it.
        yield from store_step(task, voided(context, task, write, write.notes(REFUSED, str(error))))
        raise


def leave_open(context: Context, task: Task, write: OpenWrite, why: str) -> Procedure:
    """Look again after the settling time; one read then tells what became of the write.

    From now on nothing of the attempt is sent, so the time counts from here.
    """
    attempt = write.attempt
    attempt.send_by = min(attempt.send_by, context.clock.now())
    to = saved(task, write.notes(UNKNOWN, why), context.clock.now(), ends=True)
    settled = context.settling_time(write.ref.connection, write.ref.entity)
    to.put_off = PutOff(task.row, attempt.send_by + settled)
    yield from store_step(task, to)


def voided(context: Context, task: Task, write: OpenWrite, notes: Iterable[Note] = ()) -> Changes:
    """Return the closing of an attempt that certainly did nothing to the record.

    What it has taken over from an older one, whose fate could not be read yet, stays open: it may
    have landed; if we forgot it, a later read would take it for a human's edit.
    """
    attempt = write.attempt
    forget_tried(the_link(task), write.ref.connection, write.call)
    for name in write.call.sent:
        attempt.sent.pop(name, None)
    if not attempt.sent:
        write.side.attempt = None
    to = saved(task, notes, context.clock.now())
    if not attempt.sent:
        # By its id: should the transaction be run again, the side knows nothing of it any more.
        to.closed.append(ClosedAttempt(attempt.id, to.now, REFUSED))
    return to


def close(tx: Tx, side: Side, outcome: str, now: datetime) -> None:
    """Say what became of the side's attempt, if it has an open one."""
    if side.attempt is not None:
        attempts.close(tx, [ClosedAttempt(side.attempt.id, now, outcome)])
    side.attempt = None
