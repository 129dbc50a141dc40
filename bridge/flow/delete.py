"""Remove: delete a record whose counterpart was deleted elsewhere, where the sync and the member both allow it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from bridge.connectors.contract import Connector, Record
from bridge.core.model.state import Attempt, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, transact
from bridge.errors import BridgeError, LeaseLost, UnknownOutcome
from bridge.flow.commit import conclude, later, save, take_lease, the_link
from bridge.flow.deliver import hold, unknown
from bridge.flow.differences import differences
from bridge.flow.observe import still_open, take_record
from bridge.flow.replan import plan_member
from bridge.flow.vain_writes import put_off
from bridge.ledger import attempts
from bridge.ledger.database import Tx

DELETE: Final = "delete"


def remove(context: Context, task: Task) -> Procedure:
    """Plan again under the lease, write the attempt down, then read and delete in one step what nobody has touched."""

    def begin(tx: Tx) -> tuple[Side, Attempt] | None:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None
        return prepare(tx, context, task)

    begun = yield from transact(begin)
    if begun is None:
        return
    side, attempt = begun
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)

    def untouched(record: Record) -> bool:
        return not differences(context, the_link(task), record, full=False)[0]

    try:
        left = yield from call_vendor(
            ref.connection,
            lambda c: compare_and_delete(c, ref, untouched, context, attempt.send_by),
            attempt.send_by,
            weight=2,
        )
    except UnknownOutcome as error:
        # Whether it is gone is for a read to say, and a second delete does no harm.
        why, settle = str(error), context.settle(ref.connection, ref.entity)
        yield from transact(lambda tx: unknown(tx, context, task, why, attempt, settle))
        return
    except BridgeError:
        yield from transact(lambda tx: void(tx, context, task, side))
        raise
    if left is None:
        yield from transact(lambda tx: done(tx, context, task, side))
        return
    yield from transact(lambda tx: void(tx, context, task, side))
    yield from take_record(context, task, ref, left, 0)


def compare_and_delete(
    connector: Connector,
    ref: Ref,
    untouched: Callable[[Record], bool],
    context: Context,
    send_by: datetime,
) -> Record | None:
    """Read, and delete at once what is untouched; gives the record that was left, None when it is gone.

    Nothing of ours lies between the read and the delete, so an edit can only be overlooked within
    one round trip.
    """
    record = connector.read(ref.entity, [ref.id])[ref.id]
    if record is None or not untouched(record):
        return record
    if context.clock.now() >= send_by:
        raise LeaseLost(f"{ref}: the read took past the attempt's deadline; nothing was sent")
    connector.delete(ref)
    return None


def prepare(tx: Tx, context: Context, task: Task) -> tuple[Side, Attempt] | None:
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
    side.in_vain += left_open
    if put_off(tx, context, task, side) or hold(tx, context, task, side, 1):
        return None
    close(tx, side, "overtaken by a deletion", now)
    send_by = context.send_by(side.connection)
    side.attempt = attempt = Attempt(context.fresh_id(), DELETE, {}, {}, {}, {}, send_by)
    save(tx, task, [], now)
    attempts.begin(tx, link.id, side, now, destructive=1, run_id=task.row.run_id)
    return side, attempt


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


def done(tx: Tx, context: Context, task: Task, side: Side) -> None:
    """The record is gone, and by our hand."""
    close(tx, side, "done", context.clock.now())
    side.tombstone = True
    conclude(
        tx,
        context,
        task,
        [Note("removed", side.connection, "", {"why": "it was deleted elsewhere"})],
    )
