"""Remove: delete a record whose counterpart was deleted elsewhere.

Only where the sync and the member both allow it. Whether a record is gone after a call of unknown
outcome is for a read to say, and a second delete does no harm.
"""

from __future__ import annotations

from bridge.connectors.contract import Record
from bridge.core.model.state import Note
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, transact
from bridge.flow.commit import conclude, later, take_lease, the_link
from bridge.flow.differences import differences
from bridge.flow.observe import still_open
from bridge.flow.replan import plan_member
from bridge.flow.vain_writes import put_off
from bridge.flow.write import (
    DELETE,
    DELETION,
    UNKNOWN,
    OpenWrite,
    Unknown,
    close,
    compare_and_delete,
    park_if_unsafe,
    send_attempt,
    take_in_instead,
    write_down,
)
from bridge.ledger.database import Tx


def remove(context: Context, task: Task) -> Procedure:
    """Plan again under the lease, and delete the record if nobody has touched it."""

    def begin(tx: Tx) -> OpenWrite | None:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None
        return prepare(tx, context, task)

    write = yield from transact(begin)
    if write is None:
        return

    def untouched(record: Record) -> bool:
        return not differences(context, the_link(task), record, full=False)[0]

    outcome = yield from send_attempt(
        context, task, write, lambda c: compare_and_delete(c, context, write, untouched)
    )
    if outcome is None:
        yield from transact(lambda tx: done(tx, context, task, write))
    elif not isinstance(outcome, Unknown):
        yield from take_in_instead(context, task, write, outcome)


def prepare(tx: Tx, context: Context, task: Task) -> OpenWrite | None:
    """Write the deletion down; None when there is nothing (any more) to delete, or not now."""
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
    if put_off(tx, context, task, side) or park_if_unsafe(tx, context, task, side, 1):
        return None
    return write_down(
        tx,
        context,
        task,
        side,
        DELETION,
        overtakes="overtaken by a deletion",
        destructive=1,
        tells=frozenset({UNKNOWN}),
    )


def done(tx: Tx, context: Context, task: Task, write: OpenWrite) -> None:
    """Remember that the record is gone, by our hand or before."""
    close(tx, write.side, "done", context.clock.now())
    write.side.tombstone = True
    note = Note("removed", write.ref.connection, "", {"why": "it was deleted elsewhere"})
    conclude(tx, context, task, [note])
