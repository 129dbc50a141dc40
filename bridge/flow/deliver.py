"""Deliver: bring one side level with the state, one call at a time, by the write protocol.

Before anything is sent, the first row that fits says what is done:

| situation                        | what is done                 | why                            |
| -------------------------------- | ---------------------------- | ------------------------------ |
| another task has the lease       | again in a moment            | one at a time works on a link  |
| the side has no record any more  | nothing                      | it was deleted or detached     |
| a write to it is not settled     | again when it is             | nobody knows its fate: rule F3 |
| a write to it has settled, or    | read the record, merge, plan | first its fate is told (F3),   |
| the record was missed once       |                              | or that it is gone (F21)       |
| of that write only fields are    | the next attempt takes them  | they may stay unreadable for   |
| left that could not be read      | over                         | good: rules F3, F15            |
| the plan finds nothing to do     | nothing                      | others brought it level        |
| it was confirmed beforehand, and | written as ordinary work     | `confirmed`: what a human has  |
| something else is due by now     |                              | edited is none of a run's      |
| the last writes changed nothing  | later; parked in the end     | `vain_writes`                  |
| it would destroy too much        | parked for an admin          | the sync's guard               |

Most writes do not come by here: they follow the reading that asks for them at once (`going_on`). So
what is looked at here has to be looked at in `going_on.next_write`, too.

After the call:

| answer                           | what is done                 | why                            |
| -------------------------------- | ---------------------------- | ------------------------------ |
| the record, or nothing (then it  | merged, planned again        | an answer is a reading: rule   |
| is read)                         |                              | F1                             |
| nothing, and the record reads as | left open, read when settled | a listing by which it is read  |
| before                           |                              | may lag behind: rule F3        |
| the record had moved, so nothing | merged, planned again        | the plan was for what it       |
| was sent                         |                              | showed before: rule F2         |
| refused: an element that the     | not carried until its state  | `field_refusals`               |
| system lacks                     | changes                      |                                |
| refused, in words for it: a key  | remembered, planned without  | now it is known: it does not   |
| of which nobody knew whether it  | it                           |                                |
| works                            |                              |                                |
| refused: several fields          | sent one by one              | the others shall go through    |
| refused: one field               | parked; the rest goes on     | `field_refusals`               |
| refused as a whole, or another   | void, then as the error's    | it did nothing to the record   |
| error                            | outcome says                 |                                |
| none                             | left open, read when settled | never repeated blindly: rule   |
|                                  |                              | F3                             |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from bridge.connectors.contract import Record
from bridge.core.merge.equality import same_raw
from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Note, Side
from bridge.core.model.values import Ref
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, read_record, transact
from bridge.errors import Lacking, LeaseLost, RemoteError
from bridge.flow import call_parts, confirmed, field_refusals
from bridge.flow.commit import (
    changes,
    conclude,
    concluded,
    put_off,
    store_now,
    store_step,
    take_link,
    the_link,
)
from bridge.flow.going_on import conclude_or_go_on
from bridge.flow.observe import observe, take_in, take_in_instead
from bridge.flow.readings import merge_observation, observation
from bridge.flow.replan import plan_member, still_open
from bridge.flow.vain_writes import put_off_vain
from bridge.flow.write import (
    REFUSED,
    Denied,
    Moved,
    OpenWrite,
    Unknown,
    await_grant_to_write,
    compare_and_write,
    delivery_written_down,
    is_read_first,
    leave_open,
    park_if_unsafe,
    reads_as_planned,
    send_attempt,
    voided,
)
from bridge.ledger import paused_runs, probes
from bridge.ledger.attempts import ClosedAttempt
from bridge.ledger.database import Tx


def mirror(context: Context, task: Task) -> Procedure:
    """Observe a record, and bring the sides that it leaves behind level, under one lease."""
    write = yield from observe(context, task)
    yield from send_all(context, task, write)


def deliver(context: Context, task: Task) -> Procedure:
    """Plan under the lease from what is in the ledger, and make the calls that are due."""
    yield from await_grant_to_write(context, task)
    if not (yield from take_link(context, task, str(task.row.link_id))):
        return
    begun = yield from start(context, task)
    if isinstance(begun, Ref):
        ref = begun
        record = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
        begun = yield from take_in(context, task, ref, record)
    yield from send_all(context, task, begun)


def send_all(context: Context, task: Task, write: OpenWrite | None) -> Procedure:
    """Send a write that was written down, and each that follows at once."""
    while write is not None:
        write = yield from send(context, task, write)


def start(context: Context, task: Task) -> Steps[OpenWrite | Ref | None]:
    """Return the write to be sent, or the record that has to be read first.

    None: there is nothing to be done now, and the work is finished, put off or parked.
    """
    link = the_link(task)
    side = link.live().get(task.row.connection)
    if side is None:
        yield from store_step(task, concluded(context, task, []))
        return None
    if (wait := still_open(context, link, side)) is not None:
        yield from put_off(context, task, wait)
        return None
    if is_read_first(context, link, side):
        return Ref(side.connection, link.entity, side.remote_id)
    return (yield from prepare(context, task, side))


def prepare(context: Context, task: Task, side: Side) -> Steps[OpenWrite | None]:
    """Plan, and write down the first call; conclude when nothing is left to do."""
    link = the_link(task)
    planned = plan_member(context, link, side.connection)
    calls = call_parts.without_refused(
        context, link, side.connection, planned.calls, task.link_work
    )
    if not calls:
        notes = [*planned.notes, *confirmed.let_go(task, None)]
        yield from store_step(task, concluded(context, task, notes))
        return None
    call = field_refusals.next_call(context, task, calls)
    if task.row.run_id in context.paused_runs:  # others ask for this now, and not for its part
        if confirmed.is_all(task, calls):
            yield from transact(lambda tx: hold_again(tx, context, task))
            return None
        notes = [*planned.notes, *confirmed.let_go(task, None, why=confirmed.PAUSED)]
    else:
        call = confirmed.part_of(context, task, link, call)
        notes = [*planned.notes, *confirmed.let_go(task, call)]

    def unless_unwise(tx: Tx) -> OpenWrite | None:
        if put_off_vain(tx, context, task, side):
            return None
        if park_if_unsafe(tx, context, task, side, len(call.destructive)):
            return None
        to = changes(context, task)
        write = delivery_written_down(context, task, to, side, call, notes)
        store_now(tx, task, to)
        return write

    if side.in_vain or call.destructive:  # what was done before is looked at, and locked
        return (yield from transact(unless_unwise))
    to = changes(context, task)
    write = delivery_written_down(context, task, to, side, call, notes)
    yield from store_step(task, to)
    return write


def hold_again(tx: Tx, context: Context, task: Task) -> None:
    """Hold the writes of a paused run again that somebody has come upon who edits nothing."""
    paused_runs.hold_again(tx, task.row, task.owner, context.clock.now())
    task.give_back(tx)


def send(context: Context, task: Task, write: OpenWrite) -> Steps[OpenWrite | None]:
    """Send the attempt that was written down; whatever comes back is an observation.

    Return the write that follows at once, if one does.
    """
    started = context.clock.now()
    if started >= write.attempt.send_by:
        raise LeaseLost("the worker was held up past the deadline of its write; nothing was sent")
    answer = yield from send_attempt(
        context, task, write, lambda c: compare_and_write(c, context, write)
    )
    if isinstance(answer, Unknown):
        return None
    if isinstance(answer, Denied):
        denied = answer.error
        if not (yield from transact(lambda tx: refused(tx, context, task, write, denied))):
            raise denied
        return None
    if isinstance(answer, Moved):
        note = Note("planned again", write.ref.connection, "", {"why": "the record has changed"})
        notes = [note, *confirmed.let_go(task, None, why="the record has changed there since")]
        return (yield from take_in_instead(context, task, write, answer, notes))
    return (yield from take_answer(context, task, write, answer, started))


SHOWN_AS_BEFORE = "it was answered without a record, and a read shows the record as before"


def take_answer(
    context: Context, task: Task, write: OpenWrite, answer: Record | None, started: datetime
) -> Steps[OpenWrite | None]:
    """Merge what the write was answered with (an empty answer: one read) and store what follows."""
    ref, side, call, attempt = write.ref, write.side, write.call, write.attempt
    link, entity_map = the_link(task), context.maps[ref.connection][ref.entity]
    own = answer is not None
    if answer is None:
        answer = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
        if answer is not None and reads_as_planned(answer, call, side, entity_map):
            # What it is read by may lag behind: only a read after the settling time tells.
            yield from leave_open(context, task, write, SHOWN_AS_BEFORE)
            return None
    took = round((context.clock.now() - started).total_seconds() * 1000)
    if answer is None:
        return (yield from take_in(context, task, ref, None))
    side.handle = answer.handle or side.handle
    # Read as of the time of sending: what the answer shows of other fields was so no earlier.
    obs = observation(answer, entity_map, link.parent_id, own=own, sent_at=started)
    # What the connector has seen to be so counts as shown, even where the answer leaves it out.
    proved = {
        name: raw
        for name, raw in attempt.sent.items()
        if entity_map.fields[name].write_key in answer.proved
    }
    obs = replace(obs, values={**obs.values, **proved})
    notes, _closed = merge_observation(context, link, side, obs)
    detail = {"verb": call.verb, "sent": call.sent} | task.run_detail()
    wrote = Note("wrote", ref.connection, ", ".join(sorted(call.sent)), detail)
    to = changes(context, task, ends=True)
    if side.attempt is None:  # else parts of it could not be read, and it stays open
        read_back = shadows(side, call)
        to.closed.append(ClosedAttempt(attempt.id, to.now, "done", read_back, took))
    learned = learn_capabilities(context, ref.entity, side, call)
    to.also += [partial(keep, connection=ref.connection, finding=each) for each in learned]
    not_carried = [each.note(ref.connection) for each in learned if not each.works]
    if field_refusals.is_traced(task):
        to.also.append(lambda tx: field_refusals.keep_tracing(tx, task, call))
    notes = [wrote, *notes, *not_carried]
    return (yield from conclude_or_go_on(context, task, to, notes))


def shadows(side: Side, call: PlannedCall) -> dict[str, object]:
    """Return what the call's fields read as now."""
    return {name: side.fields[name].shadow for name in call.sent if name in side.fields}


@dataclass(frozen=True, slots=True)
class LearnedCapability:
    """Whether a key of which nobody knew that can be written."""

    field: str
    key: str
    works: bool
    at: datetime

    @property
    def why(self) -> str:
        """How that was found out."""
        return f"{self.key} was {'taken' if self.works else 'ignored'} when first written"

    def note(self, connection: str) -> Note:
        """Return the line of the timeline for one that does not."""
        detail = {"why": self.why, "code": Code.SYSTEM_IGNORES}
        return Note("not carried", connection, self.field, detail)


def learn_capabilities(
    context: Context, entity: str, side: Side, call: PlannedCall
) -> list[LearnedCapability]:
    """Return which uncertain capabilities worked, or did not, as the call's fields read now.

    Written once and read back as it was sent, a key has worked; read back as it was before, it
    never will. Anything else is somebody's edit meanwhile, and does not tell.
    """
    writable = context.capabilities[side.connection][entity].writable
    fields = context.maps[side.connection][entity].fields
    probed = context.probes.setdefault(side.connection, {})
    learned = []
    for name, sent in call.sent.items():
        key, before = fields[name].write_key, call.before.get(name)
        if key is None or key in probed or writable[key].on_update is not Support.PROBED:
            continue
        if name not in side.fields or sent == before:
            continue  # it does not show whether the write did anything
        shown = side.fields[name].shadow
        works = same_raw(fields[name], shown, sent)
        if not works and shown != before:
            continue
        probed[key] = works
        learned.append(LearnedCapability(name, key, works, context.clock.now()))
    return learned


def keep(tx: Tx, connection: str, finding: LearnedCapability) -> None:
    """Remember a finding for all workers."""
    probes.record(tx, connection, finding.key, finding.works, finding.why, finding.at)


def refused(tx: Tx, context: Context, task: Task, write: OpenWrite, error: RemoteError) -> bool:
    """Void the attempt, and deal with the refusal if it is about some of the call's fields.

    False when the call as a whole is wrong.
    """
    # An element that the system lacks is no error: the timeline says once that it is not carried.
    notes = [] if isinstance(error, Lacking) else write.notes(REFUSED, str(error))
    store_now(tx, task, voided(context, task, write, notes))
    return refused_probe(tx, context, task, write, error) or field_refusals.handle_refusal(
        tx, context, task, write.call, error
    )


def refused_probe(
    tx: Tx, context: Context, task: Task, write: OpenWrite, error: RemoteError
) -> bool:
    """Learn which keys a deployment does not let be changed, and plan without them.

    True if the refusal names such keys, and nobody knew that they work. They may have been learned
    of already: by a call for another ticket, that was on its way at the same time.
    """
    ref, call = write.ref, write.call
    writable = context.capabilities[ref.connection][ref.entity].writable
    probed = context.probes.setdefault(ref.connection, {})
    unproven = [
        key
        for key in call.body
        if writable[key].on_update is Support.PROBED
        and not probed.get(key)
        and field_refusals.names_capability(error, key, call.body[key])
    ]
    for key in unproven:
        probes.record(tx, ref.connection, key, False, str(error), context.clock.now())
        probed[key] = False
    if unproven:
        conclude(tx, context, task, [])
    return bool(unproven)
