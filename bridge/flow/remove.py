"""Remove: delete a record whose counterpart was deleted elsewhere, where the sync and the member both allow it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bridge.core.state import Attempt, Note, Side
from bridge.core.values import Ref
from bridge.errors import BridgeError, UnknownOutcome
from bridge.flow.commit import conclude, later, save, the_link
from bridge.flow.context import Context, Task
from bridge.flow.deliver import hold
from bridge.flow.drift import differences
from bridge.flow.effects import Call, Procedure, Read, Transact
from bridge.flow.observe import still_open, take_record
from bridge.flow.replan import plan_member
from bridge.ledger import attempts, work
from bridge.ledger.session import Tx

DELETE: Final = "delete"


def remove(context: Context, task: Task) -> Procedure:
    """Plan again under the lease, write the attempt down, read once more, and delete what nobody has touched."""

    def begin(tx: Tx) -> Side | None:
        if not task.take(tx, context, str(task.row.link_id)):
            work.again(tx, task.row, task.owner, context.soon(), count=False)
            return None
        return prepare(tx, context, task)

    side = yield Transact(begin)
    if side is None:
        return
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)
    try:
        record = yield Read(ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection))
        if record is None:
            yield Transact(lambda tx: done(tx, context, task, side))
            return
        if differences(context, the_link(task), record, full=False)[0]:
            yield Transact(lambda tx: void(tx, context, task, side))
            yield from take_record(context, task, ref, record, 0)
            return
        yield Call(ref.connection, lambda c: c.delete(ref), task.deadline(context, ref.connection))
    except UnknownOutcome as error:
        # Whether it is gone is for a read to say, and a second delete does no harm.
        why, settle = str(error), context.settle(ref.connection, ref.entity)
        yield Transact(lambda tx: doubtful(tx, context, task, side, why, settle))
        return
    except BridgeError:
        yield Transact(lambda tx: void(tx, context, task, side))
        raise
    yield Transact(lambda tx: done(tx, context, task, side))


def prepare(tx: Tx, context: Context, task: Task) -> Side | None:
    """Commit the attempt; None when there is nothing (any more) to delete, or not now."""
    link, now = the_link(task), context.clock.now()
    side = link.live().get(task.row.connection)
    if side is None:
        conclude(tx, context, task, [])
        return None
    wanted = plan_member(context, link, side.connection).delete
    left_open = side.attempt is not None and side.attempt.verb == DELETE
    if (wanted or left_open) and (wait := still_open(context, link, side)) is not None:
        later(tx, task, wait)
        return None
    if not wanted:
        if left_open:  # by a worker that died: as long as it is open, nothing else is written there
            close(tx, side, "overtaken by an edit", now)
        conclude(tx, context, task, [])
        return None
    if hold(tx, context, task, side, 1):
        return None
    close(tx, side, "overtaken by a deletion", now)
    send_by = now + timedelta(seconds=context.timing.send_within)
    side.attempt = Attempt(context.fresh_id(), DELETE, {}, {}, {}, {}, send_by)
    save(tx, task, [], now)
    attempts.open_(tx, link.id, side, now, destructive=1, run_id=task.row.run_id)
    return side


def void(tx: Tx, context: Context, task: Task, side: Side) -> None:
    """Close an attempt that sent nothing."""
    now = context.clock.now()
    close(tx, side, "refused", now)
    save(tx, task, [], now)


def close(tx: Tx, side: Side, outcome: str, now: datetime) -> None:
    """Say what became of the side's attempt, if it has an open one."""
    if side.attempt is not None:
        attempts.close(tx, side.attempt.id, outcome, None, now, None)
    side.attempt = None


def doubtful(tx: Tx, context: Context, task: Task, side: Side, why: str, settle: timedelta) -> None:
    """Leave the attempt open until its fate must have shown."""
    now = context.clock.now()
    save(tx, task, [Note("unknown outcome", side.connection, "", {"why": why})], now)
    later(tx, task, (side.attempt.send_by if side.attempt else now) + settle)


def done(tx: Tx, context: Context, task: Task, side: Side) -> None:
    """The record is gone, and by our hand."""
    close(tx, side, "done", context.clock.now())
    side.tombstone = True
    conclude(tx, context, task, [Note("removed", side.connection, "", {"why": "it was deleted elsewhere"})])
