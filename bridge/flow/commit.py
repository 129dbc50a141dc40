"""Taking hold of a link, and making what was found out about it durable.

State, timeline, work and lease change in one transaction, or not at all. What a step has come to is
a value (`Changes`), which the drain stores together with those of other tickets; a rare step that
has to look into the ledger stores its own (`store_now`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from bridge.core.merge.policies import AGREED
from bridge.core.model.state import Link, Note
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, store, take, transact
from bridge.engine.outcomes import RETIRED
from bridge.flow import confirmed, people
from bridge.flow.replan import WantedWork, replan
from bridge.ledger import changes as ledger_changes
from bridge.ledger import conflict_log, directory, paused_runs, timeline, webhook_inbox, work
from bridge.ledger.changes import Changes, PutOff
from bridge.ledger.database import Tx
from bridge.ledger.link_leases import HeldLink
from bridge.ledger.new_links import FIRST_FENCE
from bridge.ledger.webhook_inbox import Answered
from bridge.ledger.work import WorkRow

TWO_VALUES = frozenset({"conflict", "uncertain", "reverted", "ignored", "re-sent"})
"""Kinds of note that record two values of which one was laid over the other, or may have been."""


def take_link(context: Context, task: Task, link_id: str) -> Steps[bool]:
    """Lease the link and load it into the task; see `take_lease`."""
    taken = yield from take(task.asks_for(context, link_id))
    return (yield from hold(context, task, task.hold(context, taken)))


def hold(context: Context, task: Task, is_held: bool) -> Steps[bool]:
    """Return whether the work can go on; else put it off for a moment, or deal with it."""
    if not is_held:
        yield from put_off(context, task, context.soon())
        return False
    if paused_runs.goes_by(task.row, context.paused_runs):
        yield from put_off(context, task, context.clock.now())  # to be held by who claims it next
        return False
    if task.row.connection in context.members(the_link(task)):
        return True
    yield from transact(lambda tx: leave_retired(tx, context, task))
    return False


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


def changes(context: Context, task: Task, *, ends: bool = False, saves: bool = True) -> Changes:
    """Return what a step is to store, nothing but the link yet, under its lease.

    `ends` gives the lease back with it; else it is held on for a whole one. Without `saves`, the
    link stays as the ledger has it.
    """
    now = context.clock.now()
    until = None if ends else now + context.lease(context.connections)
    return _under_lease(task, now, ends=ends, saves=saves, until=until)


def saved(task: Task, notes: Iterable[Note], now: datetime, *, ends: bool = False) -> Changes:
    """Return the link to be stored, with its timeline and conflicts. `ends` gives the lease back.

    Storing it raises LeaseLost when the lease is not ours (any more).
    """
    to = _under_lease(task, now, ends=ends, saves=True, until=None)
    tell(task, to, list(notes))
    return to


def _under_lease(
    task: Task, now: datetime, *, ends: bool, saves: bool, until: datetime | None
) -> Changes:
    link = the_link(task)
    held = HeldLink(
        link.id,
        task.token,
        task.fence,
        link if saves else None,
        gives_back=ends,
        until=until,
        known=task.known,
    )
    return Changes(now, task.owner, held)


def tell(task: Task, to: Changes, notes: list[Note]) -> None:
    """Have the link's timeline and conflicts told of a step."""
    to.notes += notes
    link = the_link(task)
    if (told := conflicts_of(link, notes, to.now, disputed=task.disputed)) is not None:
        to.also.append(told)
    task.disputed = conflict_log.disputed(link)


def concluded(context: Context, task: Task, notes: Iterable[Note]) -> Changes:
    """Return the work as finished, the link planned, and given back."""
    to = changes(context, task, ends=True)
    conclude_into(context, task, to, notes)
    return to


def conclude_into(
    context: Context,
    task: Task,
    to: Changes,
    notes: Iterable[Note],
    *,
    again_at: datetime | None = None,
) -> WantedWork:
    """Finish the work (or put it off until `again_at`) in a step, and plan the whole link.

    The work is finished before the plan, so that what the plan finds for this very side is new
    work. Where it is put off, so is what the plan finds: only another reading tells whether it can
    be done, and until then it would be tried in vain, over and over.
    """
    if again_at is None:
        to.finished = task.row
    else:
        to.put_off = PutOff(task.row, again_at)
    link, row = the_link(task), task.row
    # The link is planned after every reading, also one that showed nothing new (rule F9).
    due = task.follow_up_due(to.now)
    wanted = replan(
        context,
        link,
        task.link_work,
        to.now,
        lane=row.lane,
        run_id=row.run_id,
        due=due,
        not_before={} if again_at is None else {row.connection: again_at},
    )
    to.raised += confirmed.passed_on(row, wanted.work, task.link_work)
    to.also += wanted.also(context, link)
    all_notes = [*notes, *wanted.notes]
    tell(task, to, all_notes)
    strangers = people.strangers_to_note(context, link, all_notes, payload=row.payload)
    if strangers is not None:
        to.also.append(lambda tx: directory.store_strangers(tx, link.id, strangers, to.now))
    return wanted


def put_off(context: Context, task: Task, at: datetime) -> Procedure:
    """Leave everything as it is, and do the work at that time."""
    held = task.link is not None and task.fence > 0
    now = context.clock.now()
    to = changes(context, task, ends=True, saves=False) if held else Changes(now, task.owner)
    to.put_off = PutOff(task.row, at)
    yield from store_step(task, to)


def store_step(task: Task, to: Changes) -> Steps[WorkRow | None]:
    """Store a step, together with those of other tickets; see `changes.store`.

    If it is `left_out`, nothing has changed.
    """
    begun = yield from store(to)
    if to.left_out:
        return None
    if to.started is not None and to.started.owner:
        task.fence, task.until, task.known = FIRST_FENCE, to.started.until, to.started.known
    if to.held is not None:
        task.known |= to.held.fresh
        task.until = to.held.until or task.until
        task.fence = 0 if to.held.gives_back else task.fence
    return begun


def store_now(tx: Tx, task: Task, to: Changes, at: datetime | None = None) -> None:
    """Store a step in a transaction that is open already, and may still come to nothing.

    `at`: the present, if the step was made some time ago.
    """
    ledger_changes.store(tx, [to], at or to.now)
    task.known.clear()
    if to.left_out:
        return
    if to.held is not None and to.held.gives_back:
        task.fence = 0


def save(tx: Tx, task: Task, notes: Iterable[Note], now: datetime) -> None:
    """Store the link under its lease, with its timeline and conflicts; see `saved`."""
    store_now(tx, task, saved(task, notes, now))


def conclude(tx: Tx, context: Context, task: Task, notes: Iterable[Note]) -> None:
    """Finish the work, plan the whole link, save it and give it back; see `concluded`."""
    store_now(tx, task, concluded(context, task, notes))


def store_notes(tx: Tx, link: Link, notes: list[Note], now: datetime, *, disputed: bool) -> None:
    """Add to a link's timeline and conflicts."""
    timeline.add(tx, link.id, now, notes)
    if (told := conflicts_of(link, notes, now, disputed=disputed)) is not None:
        told(tx)


def conflicts_of(
    link: Link, notes: Iterable[Note], now: datetime, *, disputed: bool
) -> Callable[[Tx], None] | None:
    """Return what tells the link's conflicts of these notes; None: there is nothing to tell.

    `disputed` says that the ledger may know of open ones already.
    """
    overruled = [note for note in notes if note.kind in TWO_VALUES]
    decided = [note for note in notes if note.kind == "settled" and note.detail["why"] != AGREED]
    if not (disputed or overruled or decided or conflict_log.disputed(link)):
        return None

    def act(tx: Tx) -> None:
        for note in decided:
            conflict_log.close(tx, link.id, note.field, note.detail["why"], now)
        if disputed or overruled or conflict_log.disputed(link):
            conflict_log.record(tx, link, overruled, now)

    return act


def save_and_park(tx: Tx, task: Task, note: Note, why: str, cause: str, now: datetime) -> None:
    """Store the link with a line of its timeline, park the work and give the lease back."""
    store_now(tx, task, saved(task, [note], now, ends=True))
    work.park(tx, task.row, task.owner, why, cause, now)


def later(tx: Tx, task: Task, at: datetime) -> None:
    """Leave everything as it is, and do the work at that time."""
    work.reschedule(tx, task.row, task.owner, at, count=False)
    task.give_back(tx)


def answer_webhooks(
    tx: Tx, ref: Ref, webhooks_upto: int, verdict: str, why: str, now: datetime
) -> None:
    """Give every webhook for the record that was known before it was read its final verdict."""
    if webhooks_upto:
        webhook_inbox.answer(tx, [Answered(ref, webhooks_upto, verdict, why, now)])
