"""Observe: read one record as it is now, merge what is new, and plan what its link needs.

A hint says only where to look. The first row that fits says what is done:

| situation                        | what is done                 | why                            |
| -------------------------------- | ---------------------------- | ------------------------------ |
| no link knows the record         | `match.first_sight`          | it may be the counterpart of a |
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
from datetime import datetime
from functools import partial

from bridge.connectors.contract import Record
from bridge.core.merge import lifecycle
from bridge.core.model.capabilities import LONGEST_LAG, appears_after
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, read_record, transact
from bridge.flow import copies, people
from bridge.flow.commit import answer_webhooks, conclude, later, take_lease, the_link
from bridge.flow.match import first_sight, join, out_of_scope
from bridge.flow.readings import (
    Reading,
    is_believable,
    merge_observation,
    merge_record,
    observation,
)
from bridge.ledger import attempts, drift_findings, hints, intents, links, probes, webhook_inbox
from bridge.ledger.database import Tx


def observe(context: Context, task: Task) -> Procedure:
    """Read the record under its link's lease, merge it, and commit what follows."""
    ref = Ref(task.row.connection, task.row.entity, str(task.row.remote_id))

    def begin(tx: Tx) -> tuple[str | None, int] | None:
        # The webhooks that are known before the read are answered by it, later ones are not.
        webhooks_upto = webhook_inbox.last_pending(tx, ref.connection, ref.entity, ref.id)
        link_id = links.of_refs(tx, [ref]).get(ref)
        if link_id is not None and not take_lease(tx, context, task, link_id):
            return None
        return link_id, webhooks_upto

    begun = yield from transact(begin)
    if begun is None:
        return
    link_id, webhooks_upto = begun
    if link_id is None:
        yield from first_sight(context, task, ref, webhooks_upto)
        return
    link = the_link(task)
    if (wait := still_open(context, link, link.sides[ref.connection])) is not None:
        yield from transact(lambda tx: later(tx, task, wait))
        return
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    if record is not None and people.shows_news(context, ref.connection, record.people):
        # Before the merge: somebody who is not known yet would be merged as a stranger.
        shown = record.people
        yield from transact(
            lambda tx: people.learn(tx, context, ref.connection, shown, context.clock.now())
        )
    yield from take_in(context, task, ref, record, webhooks_upto)


def still_open(context: Context, link: Link, side: Side) -> datetime | None:
    """Return the time until which no read can tell what became of the side's open attempt.

    None: there is none, or it has settled (rule F3).
    """
    if side.attempt is None:
        return None
    until = side.attempt.send_by + context.settling_time(side.connection, link.entity)
    return until if context.clock.now() < until else None


def take_in(
    context: Context, task: Task, ref: Ref, record: Record | None, webhooks_upto: int = 0
) -> Procedure:
    """Merge what was read, a record or its absence, and commit it.

    The webhooks up to `webhooks_upto` are answered by it; 0: none are.
    """
    if record is not None:
        yield from take_in_record(context, task, ref, record, webhooks_upto)
        return
    reading = yield from read_absence(context, task, the_link(task).sides[ref.connection])
    yield from transact(lambda tx: commit_reading(tx, context, task, ref, reading, webhooks_upto))


def take_in_record(
    context: Context, task: Task, ref: Ref, record: Record, webhooks_upto: int
) -> Procedure:
    """Merge a record that was read, if it is in scope, and commit it."""
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

    def commit(tx: Tx) -> None:
        people.learn(tx, context, ref.connection, record.people, context.clock.now())
        if missed is not None:
            learn_appearance(tx, context, ref, link.id, missed, record.read_at)
        if was_outside and reading.verdict == "out of scope":
            drift_findings.forget(tx, ref)
        commit_reading(tx, context, task, ref, reading, webhooks_upto)

    yield from transact(commit)


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


def commit_reading(
    tx: Tx, context: Context, task: Task, ref: Ref, reading: Reading, webhooks_upto: int
) -> None:
    """Commit what a reading came to.

    That is the attempt that it closes, the verdict on the webhooks, the link and what follows.
    """
    now = context.clock.now()
    if reading.closes is not None:
        attempts.close(tx, reading.closes, "settled by a read", now)
    if reading.verdict != "pending":
        answer_webhooks(tx, ref, webhooks_upto, reading.verdict, reading.why, now)
    link = the_link(task)
    conclude(tx, context, task, reading.notes, again_at=reading.again_at)
    # Read there, it is known to be gone if it has been deleted meanwhile: then that travels.
    if reading.heir and join(tx, context.syncs[link.sync], reading.heir, link.id, [], now):
        hints.give(tx, reading.heir, now, lane=task.row.lane)


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
            return Reading("pending", "", [], again_at=min(shown_by, now + settling_time))
    notes: list[Note] = []
    heir: Ref | None = None
    if side.missing_since is not None and not side.tombstone:
        heir = yield from heir_of(context, task, side)
    if side.missing_since is not None and heir is None:
        notes += yield from look_around(context, task, side)
    rules, seconds = context.rules(context.syncs[link.sync]), settling_time.total_seconds()
    notes += lifecycle.record_missing(
        link, side.connection, now, seconds, rules if heir is None else None
    )
    if side.tombstone:
        return Reading("applied", "the record is gone", notes, heir=heir)
    return Reading("pending", "", notes, again_at=now + settling_time)


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
