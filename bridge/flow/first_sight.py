"""First sight of a record: a link of its own, and straight on to the counterpart that it lacks.

Whether the record belongs to a link that exists, `match.place` decides, looking into the ledger.
Most records belong to none, and nothing about them is in doubt. Such a one is stored together with
those of other tickets, unless anything turns out to be known that may be the same thing; where
nothing stands against its first counterpart, the step that stores the link also writes the create
down, and under the lease with which the link is started the call follows.

| situation                                 | what is done                          |
| ----------------------------------------- | ------------------------------------- |
| out of scope, or not there                | `match.place`                         |
| a copy of ours, or a record that belongs  | `match.place`                         |
| to a ticket, or of a system of copies     |                                       |
| something may be the same, or too late    | `match.place`                         |
| a counterpart has to be searched for, or  | a link; the create is a row of work   |
| may be there, or is one too many; or the  |                                       |
| ticket is older than the ledger, or the   |                                       |
| connection grants no call soon            |                                       |
| else                                      | a link, and its first create at once  |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.connectors.contract import Record
from bridge.core.model.clocks import TimeSpan
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Ref, Unreadable
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, consult, read_record, transact
from bridge.flow import call_parts, catching_up, copies, counterpart, parents, people
from bridge.flow.commit import store_step, the_link
from bridge.flow.counterpart import Prospect, ToBeMade
from bridge.flow.create import OpenCreate, make, write_down
from bridge.flow.going_on import AT_ONCE, PATIENCE, is_granted, left_to_others
from bridge.flow.match import begin_link, life_of, out_of_scope, place
from bridge.flow.match_keys import customer_keys, match_keys
from bridge.flow.replan import WantedWork
from bridge.ledger.changes import Changes
from bridge.ledger.database import Tx
from bridge.ledger.matching import Key, LinkKeys
from bridge.ledger.new_links import NewLink
from bridge.ledger.work import BegunWork, NewWork


def first_sight(context: Context, task: Task, ref: Ref, webhooks_upto: int) -> Procedure:
    """Read the record, then join it to the link that matches, or start one with it."""
    sync = context.sync_of(ref.connection, ref.entity)
    record: Record | None = None
    if sync is not None:
        record = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
    is_started = False
    if sync is not None and record is not None and is_plain(context, sync, record):
        is_started = yield from start(context, task, sync, record, webhooks_upto)
    if not is_started:
        yield from transact(lambda tx: place(tx, context, task, ref, sync, record, webhooks_upto))


def is_plain(context: Context, sync: Sync, record: Record) -> bool:
    """Return whether a record is mirrored, and can be told by nothing but the match rules."""
    ref = record.ref
    return (
        not out_of_scope(sync, ref, record)
        and record.marker is None
        and not parents.belongs(context, ref.connection, ref.entity)
        and context.capabilities[ref.connection][ref.entity].originates
    )


def start(
    context: Context, task: Task, sync: Sync, record: Record, webhooks_upto: int
) -> Steps[bool]:
    """Start a link with a record, and go straight on to its first create where that can be.

    False, and nothing stored, where something may be the same thing, or what was read has become
    too old.
    """
    ref = record.ref
    if people.shows_news(context, ref.connection, record.people):
        # Before the merge: somebody who is not known yet would be merged as a stranger.
        now, shown = context.clock.now(), record.people
        yield from transact(lambda tx: people.learn(tx, context, ref.connection, shown, now))
    values = context.maps[ref.connection][ref.entity].canonical(record.data)
    made = life_of(record, values).made
    to, wanted = begin_link(context, task, sync, record, None, webhooks_upto)
    link, new = the_link(task), first_create(wanted)
    to_be_made = ToBeMade(context, link, new.connection, new.lane, new.run_id) if new else None
    seen = yield from consult(look_around, Sight(ref.connection, values, made, to_be_made))
    keys = match_keys(sync, values, made)
    known_by = [*keys, *customer_keys(values), *seen.alike, copies.key_of(ref)]
    to.started = NewLink(
        link,
        LinkKeys(sync.name, link.id, ref.connection, known_by),
        unless=frozenset(key[:2] for key in keys),
        locks=frozenset({key[1] for key in keys} | copies.lock_names(ref, "") | {f"ref:{ref}"}),
    )
    to.best_before = record.read_at + context.lease(context.connections)
    ready: OpenCreate | None = None
    if new is not None and seen.prospect is not None and is_certain(task, seen.prospect):
        ready = yield from go_on(context, task, to, new, wanted, seen.prospect)
    begun = yield from store_step(task, to)
    if to.left_out:
        task.link = None
        return False
    if new is not None and ready is not None:
        task.row = begun or left_to_others(new)
        yield from make(context, task, ready)
    return True


@dataclass(frozen=True, slots=True)
class Sight:
    """A record that was read, and what is to be made of it first."""

    connection: str
    values: Mapping[str, Canonical | Unreadable]
    made: TimeSpan | None
    to_be_made: ToBeMade | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the ledger says of a record that it does not know."""

    alike: Sequence[Key]
    """Keys by which it is found if it is the same as another after all; see `copies`."""
    prospect: Prospect | None
    """Of its first counterpart, if one is to be made."""


def look_around(tx: Tx, sights: Sequence[Sight]) -> list[Surroundings]:
    """Return what the ledger says of records that it does not know."""
    asked = {place: each.to_be_made for place, each in enumerate(sights) if each.to_be_made}
    answers = counterpart.prospects(tx, list(asked.values())) if asked else []
    found = dict(zip(asked, answers, strict=True))
    surroundings = []
    for number, each in enumerate(sights):
        is_late = catching_up.is_late(tx, each.connection, each.made)
        alike = copies.alike_keys(each.values, each.made, is_late=is_late)
        surroundings.append(Surroundings(alike, found.get(number)))
    return surroundings


def first_create(wanted: WantedWork) -> NewWork | None:
    """Return the first create that a plan asks for, if it asks for one."""
    return next((new for new in wanted.work if new.connection in wanted.creates), None)


def is_certain(task: Task, prospect: Prospect) -> bool:
    """Return whether nothing stands against a create but the budget."""
    doubtful = prospect.in_doubt or prospect.is_late or prospect.search.needed
    return not (doubtful or prospect.is_limited or task.alone)


def go_on(
    context: Context,
    task: Task,
    to: Changes,
    new: NewWork,
    wanted: WantedWork,
    prospect: Prospect,
) -> Steps[OpenCreate | None]:
    """Write the create down in the step that starts the link, if the budget lets it be made soon.

    The link is started with a lease then, and the row of the create takes the place of ours.
    """
    others_wait = len(to.raised) > 1 or bool(wanted.awaiting)
    patience = AT_ONCE if others_wait else PATIENCE
    if to.started is None or not (
        yield from is_granted(context, task, new.connection, patience, weight=1)
    ):
        return None
    now, link = context.clock.now(), the_link(task)
    until = now + context.lease(context.connections)
    to.started.owner, to.started.until = task.token, until
    to.best_before = min(filter(None, (to.best_before, prospect.search.spared_until)))
    to.raised.remove(new)
    to.goes_on = BegunWork(new, task.owner, until)
    plan = call_parts.create_without_refused(
        context, link, new.connection, wanted.creates[new.connection], task.link_work
    )
    return write_down(context, task, to, new.connection, plan)
