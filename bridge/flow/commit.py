"""How a procedure gets hold of its link, and makes its result durable.

State, timeline, work and lease change in one transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bridge.core.model.state import Link, Note
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.flow import people
from bridge.flow.replan import replan
from bridge.ledger import conflict_log, links, timeline, webhook_inbox, work
from bridge.ledger.database import Tx

SETTLED = frozenset({"conflict", "uncertain", "reverted", "ignored", "re-sent"})
"""Kinds of note that record two values of which one was laid over the other, or may have been."""


def take_lease(tx: Tx, context: Context, task: Task, link_id: str) -> bool:
    """Lease the link and load it into the task.

    False when somebody else holds it: then the work has been put off for a moment, and the
    procedure ends.
    """
    if task.take(tx, context, link_id):
        return True
    work.reschedule(tx, task.row, task.owner, context.soon(), count=False)
    return False


def the_link(task: Task) -> Link:
    """Give the link that the task holds."""
    if task.link is None:
        raise RuntimeError("this procedure needs a lease first")
    return task.link


def save(tx: Tx, task: Task, notes: Iterable[Note], now: datetime, *, last: bool = False) -> None:
    """Store the link under its lease, with its timeline and conflicts. Raises LeaseLost when the lease is not ours.

    `last` gives the lease back with it.
    """
    link = the_link(task)
    links.save(tx, link, task.token, task.fence, now, last=last)
    task.fence = 0 if last else task.fence
    task.disputed = tell(tx, link, list(notes), now, disputed=task.disputed)


def tell(tx: Tx, link: Link, notes: list[Note], now: datetime, *, disputed: bool) -> bool:
    """Add to the link's timeline and conflicts; `disputed`: the ledger may know of open ones. Gives whether it does."""
    timeline.add(tx, link.id, now, notes)
    settled = [note for note in notes if note.kind in SETTLED]
    if disputed or conflict_log.disputed(link) or settled:
        conflict_log.record(tx, link, settled, now)
    return conflict_log.disputed(link)


def conclude(
    tx: Tx, context: Context, task: Task, notes: Iterable[Note], *, again_at: datetime | None = None
) -> None:
    """Settle the work row, plan the whole link again, save and give the lease back.

    The row is settled before the plan, so that work which the plan finds for this very side is a
    fresh row.
    """
    now = context.clock.now()
    if again_at is None:
        work.finish(tx, task.row, task.owner, now)
    else:
        work.reschedule(tx, task.row, task.owner, again_at, count=False)
    link, due = the_link(task), task.follow_up_due(now)
    planned = replan(tx, context, link, now, lane=task.row.lane, run_id=task.row.run_id, due=due)
    said = [*notes, *planned]
    save(tx, task, said, now, last=True)
    people.note(tx, context, link, said, now, payload=task.row.payload)


def later(tx: Tx, task: Task, at: datetime) -> None:
    """Leave everything as it is and look again at that time."""
    work.reschedule(tx, task.row, task.owner, at, count=False)
    task.give_back(tx)


def verdict(tx: Tx, ref: Ref, upto: int, said: str, why: str, now: datetime) -> None:
    """Give every webhook for this record that we knew of before reading it its one final verdict."""
    if upto:
        webhook_inbox.set_verdict(tx, ref.connection, ref.entity, ref.id, upto, said, why, now)
