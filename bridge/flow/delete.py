"""Remove: delete a record whose counterpart was deleted elsewhere.

Only where the sync and the member both allow it. Whether a record is gone after a call of unknown
outcome is for a read to say, and a second delete does no harm.
"""

from __future__ import annotations

from bridge.connectors.contract import Record
from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Note
from bridge.core.model.values import Ref
from bridge.core.planning.planner import DELETES
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, transact
from bridge.errors import Refused
from bridge.flow.commit import changes, conclude, later, store_now, take_lease, the_link
from bridge.flow.differences import differences
from bridge.flow.observe import take_in_instead
from bridge.flow.replan import plan_member, still_open
from bridge.flow.vain_writes import put_off_vain
from bridge.flow.write import (
    DELETE,
    DELETION,
    UNKNOWN,
    OpenWrite,
    Unknown,
    await_grant_to_write,
    close,
    compare_and_delete,
    park_if_unsafe,
    send_attempt,
    written_down,
)
from bridge.ledger import probes
from bridge.ledger.database import Tx

NO_SUCH_ACTION = frozenset({403, 405})
"""Statuses of a refusal that is about the call, whatever record it names."""


def remove(context: Context, task: Task) -> Procedure:
    """Plan again under the lease, and delete the record if nobody has touched it."""

    def begin(tx: Tx) -> OpenWrite | None:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None
        return prepare(tx, context, task)

    yield from await_grant_to_write(context, task)
    write = yield from transact(begin)
    if write is None:
        return

    def untouched(record: Record) -> bool:
        return not differences(context, the_link(task), record, full=False)[0]

    try:
        outcome = yield from send_attempt(
            context, task, write, lambda c: compare_and_delete(c, context, write, untouched)
        )
    except Refused as error:
        if not tells_that_none_are_taken(context, write.ref, error):
            raise
        why = str(error)
        yield from transact(lambda tx: withdraw(tx, context, task, write.ref, why))
        return
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
    if put_off_vain(tx, context, task, side) or park_if_unsafe(tx, context, task, side, 1):
        return None
    to = changes(context, task)
    write = written_down(
        context,
        task,
        to,
        side,
        DELETION,
        overtakes="overtaken by a deletion",
        destructive=1,
        tells=frozenset({UNKNOWN}),
    )
    store_now(tx, task, to)
    return write


def done(tx: Tx, context: Context, task: Task, write: OpenWrite) -> None:
    """Remember that the record is gone, by our hand or before."""
    close(tx, write.side, "done", context.clock.now())
    write.side.tombstone = True
    note = Note("removed", write.ref.connection, "", {"why": "it was deleted elsewhere"})
    conclude(tx, context, task, [note])


def tells_that_none_are_taken(context: Context, ref: Ref, error: Refused) -> bool:
    """Return whether a refusal is about deleting as such, where nobody knew that it works."""
    able = context.capabilities[ref.connection][ref.entity]
    return able.deletes is Support.PROBED and error.status in NO_SUCH_ACTION


def withdraw(tx: Tx, context: Context, task: Task, ref: Ref, why: str) -> None:
    """Remember that this connection deletes nothing; what ended elsewhere stays there."""
    probes.record(tx, ref.connection, DELETES, False, why, context.clock.now())
    context.probes.setdefault(ref.connection, {})[DELETES] = False
    detail = {"why": why, "code": Code.SYSTEM_IGNORES}
    conclude(tx, context, task, [Note("not carried", ref.connection, "", detail)])
