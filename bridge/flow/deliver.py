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
| the last writes changed nothing  | later; parked in the end     | `vain_writes`                  |
| it would destroy too much        | parked for an admin          | the sync's guard               |

After the call:

| answer                           | what is done                 | why                            |
| -------------------------------- | ---------------------------- | ------------------------------ |
| the record, or nothing (then it  | merged, planned again        | an answer is a reading: rule   |
| is read)                         |                              | F1                             |
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

from dataclasses import replace
from datetime import datetime

from bridge.connectors.contract import Record
from bridge.core.merge.equality import same_raw
from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Note, Side
from bridge.core.model.values import Ref
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.planner import mark_tried
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, read_record, transact
from bridge.errors import Lacking, LeaseLost, RemoteError
from bridge.flow import call_parts, field_refusals
from bridge.flow.commit import conclude, later, take_lease, the_link
from bridge.flow.observe import still_open, take_in
from bridge.flow.readings import merge_observation, observation
from bridge.flow.replan import plan_member
from bridge.flow.vain_writes import put_off
from bridge.flow.write import (
    REFUSED,
    Denied,
    Moved,
    OpenWrite,
    Unknown,
    await_grant_to_write,
    compare_and_write,
    is_read_first,
    park_if_unsafe,
    send_attempt,
    take_in_instead,
    void,
    write_down,
)
from bridge.ledger import attempts, probes
from bridge.ledger.database import Tx


def deliver(context: Context, task: Task) -> Procedure:
    """Plan under the lease from what is in the ledger, and make the first call that is due."""

    def begin(tx: Tx) -> OpenWrite | Ref | None:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None
        return start(tx, context, task)

    yield from await_grant_to_write(context, task)
    begun = yield from transact(begin)
    if isinstance(begun, OpenWrite):
        yield from send(context, task, begun)
    elif begun is not None:
        ref = begun
        record = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
        yield from take_in(context, task, ref, record)


def start(tx: Tx, context: Context, task: Task) -> OpenWrite | Ref | None:
    """Return the write to be sent, or the record that has to be read first.

    None: there is nothing to be done now, and the work is finished, put off or parked.
    """
    link = the_link(task)
    side = link.live().get(task.row.connection)
    if side is None:
        conclude(tx, context, task, [])
        return None
    if (wait := still_open(context, link, side)) is not None:
        later(tx, task, wait)
        return None
    if is_read_first(context, link, side):
        return Ref(side.connection, link.entity, side.remote_id)
    return prepare(tx, context, task, side)


def prepare(tx: Tx, context: Context, task: Task, side: Side) -> OpenWrite | None:
    """Plan, and write down the first call; conclude when nothing is left to do."""
    link = the_link(task)
    planned = plan_member(context, link, side.connection)
    calls = call_parts.without_refused(tx, context, link, side.connection, planned.calls)
    if not calls:
        conclude(tx, context, task, planned.notes)
        return None
    call = field_refusals.next_call(context, task, calls)
    destroyed = len(call.destructive)
    if put_off(tx, context, task, side) or park_if_unsafe(tx, context, task, side, destroyed):
        return None
    mark_tried(link, side.connection, call)
    return write_down(
        tx,
        context,
        task,
        side,
        call,
        overtakes="partly readable",
        take_over=True,
        version=side.version,
        destructive=destroyed,
        notes=planned.notes,
    )


def send(context: Context, task: Task, write: OpenWrite) -> Procedure:
    """Send the attempt that was written down; whatever comes back is an observation."""
    started = context.clock.now()
    if started >= write.attempt.send_by:
        raise LeaseLost("the worker was held up past the deadline of its write; nothing was sent")
    answer = yield from send_attempt(
        context, task, write, lambda c: compare_and_write(c, context, write)
    )
    if isinstance(answer, Unknown):
        return
    if isinstance(answer, Denied):
        denied = answer.error
        if not (yield from transact(lambda tx: refused(tx, context, task, write, denied))):
            raise denied
    elif isinstance(answer, Moved):
        note = Note("planned again", write.ref.connection, "", {"why": "the record has changed"})
        yield from take_in_instead(context, task, write, answer, [note])
    else:
        yield from take_answer(context, task, write, answer, started)


def take_answer(
    context: Context, task: Task, write: OpenWrite, answer: Record | None, started: datetime
) -> Procedure:
    """Merge what the write was answered with (an empty answer: one read) and commit it."""
    ref, side, call, attempt = write.ref, write.side, write.call, write.attempt
    own = answer is not None
    if answer is None:
        answer = yield from read_record(
            ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
        )
    took = round((context.clock.now() - started).total_seconds() * 1000)
    if answer is None:
        yield from take_in(context, task, ref, None)
        return
    side.handle = answer.handle or side.handle
    # Read as of the time of sending: what the answer shows of other fields was so no earlier.
    link, entity_map = the_link(task), context.maps[ref.connection][ref.entity]
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

    def commit(tx: Tx) -> None:
        now = context.clock.now()
        not_carried = learn_capabilities(tx, context, ref.entity, side, call, now)
        if side.attempt is None:  # else parts of it could not be read, and it stays open
            read_back = shadows(side, call)
            attempts.close(tx, attempt.id, "done", now, read_back=read_back, latency_ms=took)
        conclude(tx, context, task, [wrote, *notes, *not_carried])
        field_refusals.keep_tracing(tx, task, call)

    yield from transact(commit)


def shadows(side: Side, call: PlannedCall) -> dict[str, object]:
    """Return what the call's fields read as now."""
    return {name: side.fields[name].shadow for name in call.sent if name in side.fields}


def learn_capabilities(
    tx: Tx, context: Context, entity: str, side: Side, call: PlannedCall, now: datetime
) -> list[Note]:
    """Remember whether uncertain capabilities worked, as the call's fields read now.

    Written once and read back as it was sent, a key has worked; read back as it was before, it
    never will. Anything else is somebody's edit meanwhile, and does not tell. Return a note for
    each that did not work.
    """
    writable = context.capabilities[side.connection][entity].writable
    fields = context.maps[side.connection][entity].fields
    probed = context.probes.setdefault(side.connection, {})
    notes = []
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
        why = f"{key} was {'taken' if works else 'ignored'} when first written"
        probes.record(tx, side.connection, key, works, why, now)
        probed[key] = works
        if not works:
            detail = {"why": why, "code": Code.SYSTEM_IGNORES}
            notes.append(Note("not carried", side.connection, name, detail))
    return notes


def refused(tx: Tx, context: Context, task: Task, write: OpenWrite, error: RemoteError) -> bool:
    """Void the attempt, and deal with the refusal if it is about some of the call's fields.

    False when the call as a whole is wrong.
    """
    # An element that the system lacks is no error: the timeline says once that it is not carried.
    notes = [] if isinstance(error, Lacking) else write.notes(REFUSED, str(error))
    void(tx, context, task, write, notes)
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
