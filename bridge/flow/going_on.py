"""From what a reading came to straight on to the write that it asks for, under the same lease.

A row of work between the two would cost another lease, another look and its own turn. It is raised
where the write has to wait, and for all other sides. What goes straight on has a row too, claimed
as it is raised: if this worker dies, or the write fails, that is what is left to be done.

| situation                                | the write                               |
| ---------------------------------------- | --------------------------------------- |
| the reading has to be made again         | is planned after that                   |
| a write to the side is open, or the      | waits: a read has to tell first (rules  |
| record was missed                        | F3, F21)                                |
| the last writes changed nothing          | waits ever longer (`vain_writes`)       |
| it destroys something                    | is counted by the guard (`write`)       |
| work for the side is in the ledger       | is left to that: it may know of a       |
|                                          | refusal                                 |
| its connection is shut, or grants no     | waits for that                          |
| call soon                                |                                         |
| else                                     | follows at once                         |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.core.model.state import Note, Side
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context, Task
from bridge.engine.effects import Steps, await_grant
from bridge.errors import LeaseLost, Resting
from bridge.flow.commit import conclude_into, store_step, the_link
from bridge.flow.replan import WantedWork
from bridge.flow.write import WEIGHT, OpenWrite, delivery_written_down
from bridge.ledger.changes import Changes
from bridge.ledger.work import BegunWork, NewWork, WorkRow

MAX_WRITES = 8
"""Writes under one lease, so that nobody waits for it for ever."""
PATIENCE = timedelta(seconds=0.5)
"""For so long a write waits for its budget: nothing of the reading is stored meanwhile."""
AT_ONCE = timedelta(seconds=0.05)
"""The same where other sides wait for it to be stored: a slow vendor delays no other."""
NO_ROW = 0
"""An id that no row has."""


def conclude_or_go_on(
    context: Context,
    task: Task,
    to: Changes,
    notes: Iterable[Note],
    *,
    again_at: datetime | None = None,
) -> Steps[OpenWrite | None]:
    """Store what a reading came to, with what follows from it.

    Return the write that was written down with it, to be sent now; None: the lease was given back.
    """
    wanted = conclude_into(context, task, to, notes, again_at=again_at)
    new = next_write(task, to, wanted)
    others_wait = len(to.raised) > 1 or bool(wanted.awaiting)
    patience = AT_ONCE if others_wait else PATIENCE
    if new is None or not (yield from is_granted(context, task, new.connection, patience)):
        yield from store_step(task, to)
        return None
    return (
        yield from write_down_and_store(context, task, to, new, wanted.calls[new.connection][0])
    )


def next_write(task: Task, to: Changes, wanted: WantedWork) -> NewWork | None:
    """Return the delivery that can follow at once, if one can."""
    is_traced = task.row.kind == "deliver" and task.row.payload
    if to.finished is None or task.alone or is_traced or task.writes >= MAX_WRITES:
        return None
    live = the_link(task).live()
    others = {each.key for each in task.link_work if each.id != task.row.id}
    for new in to.raised:
        if new.kind == "deliver" and new.key not in others:
            side, call = live.get(new.connection), wanted.calls[new.connection][0]
            if side is not None and not waits(side) and not call.destructive:
                return new
    return None


def waits(side: Side) -> bool:
    """Return whether a side has to be looked at before it is written to."""
    return side.attempt is not None or side.missing_since is not None or side.in_vain > 0


def is_granted(
    context: Context, task: Task, connection: str, patience: timedelta, *, weight: int = WEIGHT
) -> Steps[bool]:
    """Return whether the budget lets a call be made soon, and well within a lease that we have."""
    by = context.clock.now() + patience
    if task.until is not None:
        by = min(by, task.until - timedelta(seconds=context.timing.margin))
    try:
        yield from await_grant(connection, by, weight=weight, can_be_left=True)
    except (LeaseLost, Resting):
        return False
    return True


def write_down_and_store(
    context: Context, task: Task, to: Changes, new: NewWork, call: PlannedCall
) -> Steps[OpenWrite]:
    """Store the step with the attempt, and go on with the row of that instead of what is done."""
    side = the_link(task).live()[new.connection]
    until = context.clock.now() + context.lease(context.connections)
    if to.held is not None:
        to.held = replace(to.held, gives_back=False, until=until)
    to.raised = [each for each in to.raised if each is not new]
    to.goes_on = BegunWork(new, task.owner, until)
    write = delivery_written_down(context, task, to, side, call)
    task.row = (yield from store_step(task, to)) or left_to_others(new)
    task.writes += 1
    return write


def left_to_others(new: NewWork) -> WorkRow:
    """Return a row that is none: what is left to be done is somebody else's already."""
    return WorkRow(
        id=NO_ROW,
        kind=new.kind,
        key=new.key,
        connection=new.connection,
        entity=new.entity,
        remote_id=None,
        link_id=new.link_id,
        lane=new.lane,
        attempts=0,
        generation=0,
        payload=None,
        run_id=new.run_id,
    )
