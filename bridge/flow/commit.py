"""Taking hold of a link, and making what was found out about it durable.

State, timeline, work and lease change in one transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from bridge.core.merge.policies import AGREED
from bridge.core.model.state import Link, Note
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.outcomes import RETIRED
from bridge.flow import people
from bridge.flow.replan import replan
from bridge.ledger import conflict_log, links, timeline, webhook_inbox, work
from bridge.ledger.database import Tx

TWO_VALUES = frozenset({"conflict", "uncertain", "reverted", "ignored", "re-sent"})
"""Kinds of note that record two values of which one was laid over the other, or may have been."""


def take_lease(tx: Tx, context: Context, task: Task, link_id: str) -> bool:
    """Lease the link and load it into the task.

    False when somebody else holds it, or its sync does not name the connection (any more): then the
    work has been put off for a moment, or dealt with, and the procedure ends.
    """
    if not task.take(tx, context, link_id):
        work.reschedule(tx, task.row, task.owner, context.soon(), count=False)
        return False
    if task.row.connection in context.members(the_link(task)):
        return True
    leave_retired(tx, context, task)
    return False


def leave_retired(tx: Tx, context: Context, task: Task) -> None:
    """Deal with work for a side that is retired: a look at it comes to nothing, the rest waits."""
    now, row, link = context.clock.now(), task.row, the_link(task)
    why = f"{row.connection} is no member of {link.sync} in mappings/syncs.yaml (any more)"
    task.give_back(tx)
    if row.kind != "observe" or row.remote_id is None:
        work.park(tx, row, task.owner, why, RETIRED, now)
        return
    ref = Ref(row.connection, row.entity, row.remote_id)
    upto = webhook_inbox.last_pending(tx, ref.connection, ref.entity, ref.id)
    answer_webhooks(tx, ref, upto, "out of scope", why, now)
    work.finish(tx, row, task.owner, now)


def the_link(task: Task) -> Link:
    """Return the link that the task holds."""
    if task.link is None:
        raise RuntimeError("this procedure needs a lease first")
    return task.link


def save(tx: Tx, task: Task, notes: Iterable[Note], now: datetime, *, last: bool = False) -> None:
    """Store the link under its lease, with its timeline and conflicts.

    `last` gives the lease back with it. Raises LeaseLost when the lease is not ours (any more).
    """
    link = the_link(task)
    links.save(tx, link, task.token, task.fence, now, last=last)
    task.fence = 0 if last else task.fence
    task.disputed = store_notes(tx, link, list(notes), now, disputed=task.disputed)


def store_notes(tx: Tx, link: Link, notes: list[Note], now: datetime, *, disputed: bool) -> bool:
    """Add to the link's timeline and conflicts. Return whether there are open conflicts now.

    `disputed` says that the ledger may know of open ones already.
    """
    timeline.add(tx, link.id, now, notes)
    overruled = [note for note in notes if note.kind in TWO_VALUES]
    for note in notes:
        if note.kind == "settled" and note.detail["why"] != AGREED:
            conflict_log.close(tx, link.id, note.field, note.detail["why"], now)
    if disputed or conflict_log.disputed(link) or overruled:
        conflict_log.record(tx, link, overruled, now)
    return conflict_log.disputed(link)


def conclude(
    tx: Tx, context: Context, task: Task, notes: Iterable[Note], *, again_at: datetime | None = None
) -> None:
    """Finish the work (or put it off until `again_at`), plan the whole link, save and give it back.

    The work is finished before the plan, so that what the plan finds for this very side is new
    work.
    """
    now = context.clock.now()
    if again_at is None:
        work.finish(tx, task.row, task.owner, now)
    else:
        work.reschedule(tx, task.row, task.owner, again_at, count=False)
    # The link is planned after every reading, also one that showed nothing new (rule F9).
    link, due = the_link(task), task.follow_up_due(now)
    planned = replan(tx, context, link, now, lane=task.row.lane, run_id=task.row.run_id, due=due)
    all_notes = [*notes, *planned]
    save(tx, task, all_notes, now, last=True)
    people.note_strangers(tx, context, link, all_notes, now, payload=task.row.payload)


def save_and_park(tx: Tx, task: Task, note: Note, why: str, cause: str, now: datetime) -> None:
    """Store the link with a line of its timeline, park the work and give the lease back."""
    save(tx, task, [note], now)
    work.park(tx, task.row, task.owner, why, cause, now)
    task.give_back(tx)


def later(tx: Tx, task: Task, at: datetime) -> None:
    """Leave everything as it is, and do the work at that time."""
    work.reschedule(tx, task.row, task.owner, at, count=False)
    task.give_back(tx)


def answer_webhooks(
    tx: Tx, ref: Ref, webhooks_upto: int, verdict: str, why: str, now: datetime
) -> None:
    """Give every webhook for the record that was known before it was read its final verdict."""
    if webhooks_upto:
        webhook_inbox.set_verdict(
            tx, ref.connection, ref.entity, ref.id, webhooks_upto, verdict, why, now
        )
