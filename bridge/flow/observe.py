"""Observe: read one record as it is now, merge what is new, and plan what its link needs.

A hint says only where to look. The first row that fits says what is done:

| situation                        | what is done                 | why                            |
| -------------------------------- | ---------------------------- | ------------------------------ |
| no link knows the record         | `first_sight`                | it may be the counterpart of a |
|                                  |                              | known one: rules F10, F11      |
| another task has the lease       | again in a moment            | one at a time works on a link  |
| a write to it is not settled     | again when it is             | a read cannot tell yet: rule   |
|                                  |                              | F3                             |
| it is gone, and we made it a     | again a little later         | the create's answer outweighs  |
| moment ago                       |                              | a vendor that lags             |
| it is gone, for the first time   | again after the settling     | one absence is a hint: rule    |
|                                  | time                         | F21                            |
| it is gone, for the second time, | that takes its place, and    | the thing itself is there yet  |
| and another copy is there        | nothing else is done         |                                |
| it is gone, for the second time  | read the other sides; then   | an edit there may speak        |
|                                  | its end travels as the sync  | against the end: rule F21      |
|                                  | says                         |                                |
| outside of the sync's `only`,    | nothing travels from it or   | its shadows are kept for its   |
| and no write to it is open       | to it until it is back       | return                         |
| detached, or out of scope for    | nothing                      | an operator or the sync says   |
| good                             |                              | so                             |
| its version has stepped back     | again after the settling     | versions do step back: rule F8 |
|                                  | time; the same twice is the  |                                |
|                                  | truth                        |                                |
| it is there again, and its end   | read the other sides first   | what was decided there since   |
| had closed the others            |                              | stands: rule F21               |
| it reads as before               | planned; verdict `echo`, or  | so our own writes come back    |
|                                  | `no-op` if it was touched    | (F22); a plan finds lost       |
|                                  |                              | deliveries (F9)                |
| it reads otherwise               | merged field by field,       | what an edit means is said in  |
|                                  | planned; verdict `applied`   | `core/merge`                   |

An open attempt that has settled is closed by the same read (rule F3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from bridge.connectors.contract import Record
from bridge.core.merge import lifecycle
from bridge.core.model.capabilities import LONGEST_LAG, appears_after
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Steps, read_record, take, transact
from bridge.flow import copies, people
from bridge.flow.commit import changes, hold, put_off, store_step, the_link
from bridge.flow.first_sight import first_sight
from bridge.flow.going_on import conclude_or_go_on
from bridge.flow.match import join, out_of_scope
from bridge.flow.readings import (
    Reading,
    is_believable,
    merge_observation,
    merge_record,
    observation,
)
from bridge.flow.replan import still_open
from bridge.flow.write import Moved, OpenWrite, voided
from bridge.ledger import drift_findings, hints, intents, listings, probes
from bridge.ledger.attempts import ClosedAttempt
from bridge.ledger.database import Tx
from bridge.ledger.webhook_inbox import Answered

FIRST_LOOK_AGAIN: Final = timedelta(seconds=0.5)
"""A record just made that is not shown yet is read again after this, and then ever later."""


def observe(context: Context, task: Task) -> Steps[OpenWrite | None]:
    """Read the record under its link's lease, merge it, and store what follows.

    Return the write that follows at once, already written down; None: the lease was given back.
    """
    ref = Ref(task.row.connection, task.row.entity, str(task.row.remote_id))
    # The webhooks that are known before the read are answered by it, later ones are not.
    taken = yield from take(task.asks_for(context, ref=ref))
    if taken.link_id is None:
        yield from first_sight(context, task, ref, taken.webhooks_upto)
        return None
    if not (yield from hold(context, task, task.hold(context, taken))):
        return None
    link = the_link(task)
    if (wait := still_open(context, link, link.sides[ref.connection])) is not None:
        yield from put_off(context, task, wait)
        return None
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    if record is not None and people.shows_news(context, ref.connection, record.people):
        # Before the merge: somebody who is not known yet would be merged as a stranger.
        shown = record.people
        yield from transact(
            lambda tx: people.learn(tx, context, ref.connection, shown, context.clock.now())
        )
    return (yield from take_in(context, task, ref, record, taken.webhooks_upto))


def take_in(
    context: Context, task: Task, ref: Ref, record: Record | None, webhooks_upto: int = 0
) -> Steps[OpenWrite | None]:
    """Merge what was read, a record or its absence, and store what follows.

    The webhooks up to `webhooks_upto` are answered by it; 0: none are. Return the write that
    follows at once, if one does.
    """
    if record is not None:
        return (yield from take_in_record(context, task, ref, record, webhooks_upto))
    reading = yield from read_absence(context, task, the_link(task).sides[ref.connection])
    return (yield from store_reading(context, task, ref, reading, webhooks_upto, []))


def take_in_instead(
    context: Context, task: Task, write: OpenWrite, moved: Moved, notes: Iterable[Note] = ()
) -> Steps[OpenWrite | None]:
    """Nothing was sent, for the record has changed: void the attempt and merge what was read."""
    yield from store_step(task, voided(context, task, write, notes))
    return (yield from take_in(context, task, write.ref, moved.record))


def take_in_record(
    context: Context, task: Task, ref: Ref, record: Record, webhooks_upto: int
) -> Steps[OpenWrite | None]:
    """Merge a record that was read, if it is in scope, and store what follows."""
    link = the_link(task)
    sync, side = context.syncs[link.sync], link.sides[ref.connection]
    missed = side.read_at if side.missing_since is not None else None
    was_outside = not side.in_scope or side.detached
    if side.attempt is None and (why := out_of_scope(sync, ref, record)):
        rules = context.rules(sync)
        notes = lifecycle.leave_scope(link, ref.connection, context.clock.now(), rules)
        reading = Reading("out of scope", why, notes)
    elif side.detached:
        reading = Reading("out of scope", f"{ref} was detached by hand", [])
    elif not side.in_scope and sync.leave_scope == "detach":
        reading = Reading("out of scope", f"{ref} has left the scope for good", [])
    else:
        looked: list[Note] = []
        if lifecycle.is_ended_by(link, ref.connection):
            looked = yield from look_around(context, task, side)
        reading = merge_record(context, task.row, link, side, record)
        reading.notes[:0] = looked
    also: list[Callable[[Tx], object]] = []
    if people.shows_news(context, ref.connection, record.people):
        shown = record.people
        also.append(
            lambda tx: people.learn(tx, context, ref.connection, shown, context.clock.now())
        )
    if missed is not None:
        also.append(
            partial(
                learn_appearance,
                context=context,
                ref=ref,
                link_id=link.id,
                last_shown=missed,
                read_at=record.read_at,
            )
        )
    if was_outside and reading.verdict == "out of scope":
        also.append(lambda tx: drift_findings.forget(tx, ref))
    return (yield from store_reading(context, task, ref, reading, webhooks_upto, also))


def learn_appearance(
    tx: Tx, context: Context, ref: Ref, link_id: str, last_shown: datetime, read_at: datetime
) -> None:
    """Learn how late a record of ours was shown, if nobody had read it since it was made."""
    made = intents.made_at(tx, link_id, ref.connection, ref.id)
    if made is None or last_shown > made:
        return
    late = (read_at - made).total_seconds()
    known = context.appearing_time(ref.connection, ref.entity).total_seconds()
    if known < late <= LONGEST_LAG:
        finding = appears_after(ref.entity, math.ceil(late))
        why = f"{ref} was not shown for {late:.0f} seconds after it was made"
        probes.record(tx, ref.connection, finding, True, why, context.clock.now())


def store_reading(
    context: Context,
    task: Task,
    ref: Ref,
    reading: Reading,
    webhooks_upto: int,
    also: Iterable[Callable[[Tx], object]],
) -> Steps[OpenWrite | None]:
    """Store what a reading came to, and go straight on to the write that follows, if one does.

    That is the attempt that it closes, the verdict on the webhooks, the link and what follows.
    """
    to, link = changes(context, task, ends=True), the_link(task)
    if reading.closes is not None:
        to.closed.append(ClosedAttempt(reading.closes, to.now, "settled by a read"))
    if webhooks_upto and reading.verdict != "pending":
        to.answered.append(Answered(ref, webhooks_upto, reading.verdict, reading.why, to.now))
    to.also += also
    if (heir := reading.heir) is not None:
        sync = context.syncs[link.sync]
        to.also.append(lambda tx: let_inherit(tx, task, sync, heir, link.id, to.now))
    return (
        yield from conclude_or_go_on(context, task, to, reading.notes, again_at=reading.again_at)
    )


def let_inherit(tx: Tx, task: Task, sync: Sync, heir: Ref, link_id: str, now: datetime) -> None:
    """Put another copy in the place of the record that is gone."""
    # Read there, it is known to be gone if it has been deleted meanwhile: then that travels.
    if join(tx, sync, heir, link_id, [], now):
        hints.give(tx, heir, now, lane=task.row.lane)


def read_absence(context: Context, task: Task, side: Side) -> Steps[Reading]:
    """Return what it comes to that there is no such record (any more).

    The first absence is noted, and the work put off by the settling time. The second, in a later
    turn of the same work, makes the tombstone; then the record's end travels as the sync says.
    """
    link = the_link(task)
    settling_time = context.settling_time(side.connection, link.entity)
    now = context.clock.now()
    made = yield from transact(
        lambda tx: intents.made_at(tx, link.id, side.connection, side.remote_id)
    )
    if made is not None:
        # The answer to our own create outweighs a reading that does not show the record yet.
        shown_by = made + context.appearing_time(side.connection, link.entity)
        if now < shown_by:
            missing_for = max(FIRST_LOOK_AGAIN, now - made)
            again_at = min(shown_by, now + settling_time, now + missing_for)
            return Reading("pending", "", [], again_at=again_at)
    notes: list[Note] = []
    heir: Ref | None = None
    if side.missing_since is not None and not side.tombstone:
        heir = yield from heir_of(context, task, side)
    if side.missing_since is not None and heir is None:
        notes += yield from look_around(context, task, side)
        yield from note_last_listing(context, task, side)
    rules, seconds = context.rules(context.syncs[link.sync]), settling_time.total_seconds()
    notes += lifecycle.record_missing(
        link, side.connection, now, seconds, rules if heir is None else None
    )
    if side.tombstone:
        return Reading("applied", "the record is gone", notes, heir=heir)
    return Reading("pending", "", notes, again_at=now + settling_time)


def note_last_listing(context: Context, task: Task, side: Side) -> Steps[None]:
    """Take it from the last complete listing that showed a record that the record was there then.

    So what was edited elsewhere before does not count as edited after its end (rule F21).
    """
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)
    began = yield from transact(lambda tx: listings.last_shown(tx, ref))
    if began is not None:
        # A listing may lag behind.
        lifecycle.was_there(side, began - context.settling_time(ref.connection, ref.entity))


def heir_of(context: Context, task: Task, gone: Side) -> Steps[Ref | None]:
    """Return another copy on the same connection, if it is there and its marker still says so.

    None where nothing else is left of the ticket: a copy of that has no place to take.
    """
    link = the_link(task)
    if len(link.live()) == 1:
        return None
    strays = yield from transact(lambda tx: copies.without_place(tx, link, gone.connection))
    for ref in strays[: copies.MAX_CANDIDATES]:
        record = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
        asked = partial(is_heir, context=context, link=link, ref=ref, record=record)
        if (yield from transact(asked)):
            return ref
    return None


def is_heir(tx: Tx, context: Context, link: Link, ref: Ref, record: Record | None) -> bool:
    """Return whether a record that was just read is a copy of a ticket's; else have it dealt with.

    What is gone, or has lost its marker, does not wait for a place any more.
    """
    original = "" if record is None else copies.original_of(tx, context, record)
    place = copies.place_of(tx, context, ref, original) if original else None
    if place is not None and place.link is not None and place.link.id == link.id:
        return not out_of_scope(context.syncs[link.sync], ref, record)
    hints.give(tx, ref, context.clock.now())
    return False


def look_around(context: Context, task: Task, gone: Side) -> Steps[list[Note]]:
    """Read and merge the other sides of a link whose record has gone, or is there again.

    An edit there may speak against the end of the whole, or against taking it back (rule F21).
    """
    link = the_link(task)
    notes: list[Note] = []
    for side in link.live().values():
        if side is gone or side.attempt is not None:
            continue
        record = yield from read_record(
            side.connection, link.entity, side.remote_id, task.deadline(context, side.connection)
        )
        if record is None:
            continue
        obs = observation(record, context.maps[side.connection][link.entity], link.parent_id)
        if is_believable(context, link, side, obs):
            notes += merge_observation(context, link, side, obs)[0]
    return notes
