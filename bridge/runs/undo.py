"""Undo: take back what a run wrote, and leave alone what anybody has changed since.

A ticket of which something was taken back is paused, with the reason in its timeline: the bridge
does not do again by itself what an admin has just undone. `bridge link resume` lets it go on. One
of which nothing was taken back is as paused as it was before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.equality import agrees, same_raw
from bridge.core.model.state import NEVER, Link, Note, Side
from bridge.core.model.values import Marker, Raw, Ref, Unreadable
from bridge.core.planning.calls import PlannedCall, Recipient, Want, group_into_calls
from bridge.core.planning.planner import can_delete
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, await_grant, read_record, transact
from bridge.flow.commit import (
    changes,
    conclude,
    later,
    save,
    store_now,
    store_step,
    take_lease,
    the_link,
)
from bridge.flow.readings import observation
from bridge.flow.replan import still_open
from bridge.flow.write import (
    DELETE,
    DELETION,
    REFUSED,
    WEIGHT,
    Denied,
    Moved,
    OpenWrite,
    Unknown,
    close,
    compare_and_delete,
    compare_and_write,
    send_attempt,
    voided,
    written_down,
)
from bridge.ledger import run_records, run_writes, timeline, work
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunFigures, RunRow
from bridge.runs.written_by_run import WrittenByRun, sent_by, written_by_run

KIND: Final = "undo"
UNDONE, LEFT = "undone", "not undone"
AS_BEFORE: Final = "it reads as before already"
"""Why there is nothing to take back: it was taken back, or a human has put it back."""
PAUSED_BEFORE: Final = "paused"
"""In the payload: whether the ticket was paused before this undo paused it."""


def start(
    tx: Tx, run_id: int, now: datetime, *, delete_created: bool = False
) -> tuple[int | None, int]:
    """Queue the undoing of a run, or go on with one that was interrupted, as it was asked for.

    Return the id of the undo's own run (None: one of another run is under way), and how many
    records it is about.
    """
    run = run_records.get(tx, run_id)
    if run is None:
        return None, 0
    left = run_writes.left_of_undo(tx, run_id)
    mine = max(left.values()) if left else _begin(tx, run, now)
    if mine is None:
        return None, 0
    payload = None if left else {"undoes": run_id, "delete": delete_created}
    count = 0
    for link_id, connection, entity in records(tx, run_id):
        key = f"{run_writes.undo_keys(run_id)}{link_id}:{connection}"
        if left and key not in left:
            continue  # it was taken back before the undo was interrupted
        count += 1
        work.enqueue(
            tx,
            kind=KIND,
            key=key,
            connection=connection,
            entity=entity,
            link_id=link_id,
            lane="operator",
            due_at=now,
            now=now,
            payload=payload,
            run_id=mine,
        )
    if not left:
        run_records.progress(tx, mine, cursor=None, seen=0, hinted=count, now=now)
    return mine, count


def _begin(tx: Tx, run: RunRow, now: datetime) -> int | None:
    """Begin the undo's own run; None while another undo there has work left."""
    same = {"kind": KIND, "connection": run.connection, "entity": run.entity}
    mine = run_records.begin(tx, **same, due=now, now=now)
    if mine is None:
        other = run_records.last(tx, **same)
        if other is None or run_writes.left(tx, [other.id]).waiting:
            return None
        run_records.finish(tx, other.id, now)  # whoever was to do that was killed
        mine = run_records.begin(tx, **same, due=now, now=now)
    if mine is not None:
        figures: RunFigures = {"undoes": run.id, "timeline": timeline.newest(tx)}
        run_records.progress(tx, mine, cursor=None, seen=0, hinted=0, now=now, figures=figures)
    return mine


def records(tx: Tx, run_id: int) -> list[tuple[str, str, str]]:
    """Return the link, connection and entity of every record that a run wrote to."""
    writes: list[run_writes.CreatedRecord | run_writes.CarriedOutWrite] = [
        *run_writes.made(tx, run_id),
        *run_writes.changed(tx, run_id),
    ]
    return sorted({(write.link_id, write.connection, write.entity) for write in writes})


def take_back(context: Context, task: Task) -> Procedure:
    """Read the record, and take back what the run wrote to it.

    A record that the run made is deleted, if nobody has touched it since; in any other the values
    that still are the run's are put back as they were.
    """

    def begin(tx: Tx) -> tuple[Side | None, WrittenByRun]:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None, WrittenByRun()
        side = the_link(task).live().get(task.row.connection)
        if side is None:
            end_gone(tx, context, task)
            return None, WrittenByRun()
        if (wait := still_open(context, the_link(task), side)) is not None:
            later(tx, task, wait)
            return None, WrittenByRun()
        return side, written_by_run(tx, task, side)

    side, did = yield from transact(begin)
    if side is None:
        return
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    if record is None:
        yield from transact(lambda tx: end_gone(tx, context, task))
        return
    if side.attempt is not None and did.has_sent(side.attempt):
        yield from transact(lambda tx: settle(tx, context, task, side, record))
    if did.created:
        yield from unmake(context, task, ref, side, record, did)
    else:
        yield from put_back(context, task, side, record, did)


def settle(tx: Tx, context: Context, task: Task, side: Side, record: Record) -> None:
    """Say what became of an attempt of this undo that nobody saw the answer of: one read tells."""
    attempt = side.attempt
    if attempt is None:
        return
    values, fields = shown(context, the_link(task), side, record), _fields(context, task, side)
    if attempt.sent and all(
        name in values and same_raw(fields[name], raw, values[name])
        for name, raw in attempt.sent.items()
    ):
        landed(tx, context, task, side, attempt.sent, record)
    else:
        close(tx, side, REFUSED, context.clock.now())
        save(tx, task, [], context.clock.now())


def _fields(context: Context, task: Task, side: Side) -> Mapping[str, FieldMap]:
    return context.maps[side.connection][the_link(task).entity].fields


def shown(context: Context, link: Link, side: Side, record: Record) -> dict[str, Raw]:
    """Return what the record shows, by field, without what cannot be read."""
    values = observation(record, context.maps[side.connection][link.entity], link.parent_id).values
    return {
        name: value for name, value in values.items() if not isinstance(value, Marker | Unreadable)
    }


def is_ours(
    context: Context, link: Link, side: Side, did: WrittenByRun, name: str, value: Raw
) -> bool:
    """Return whether a value is still the one that the run wrote."""
    mapped = context.maps[side.connection][link.entity].fields[name]
    return any(same_raw(mapped, raw, value) for raw in did.ours.get(name, ()))


def touched(
    context: Context, link: Link, side: Side, now_shown: Mapping[str, Raw], did: WrittenByRun
) -> list[str]:
    """Return the fields of a record made by the run that anybody has changed there since."""
    fields = context.maps[side.connection][link.entity].fields
    names = []
    for name, value in now_shown.items():
        entry, state = side.fields.get(name), link.state.get(name)
        if fields[name].parent or entry is None or isinstance(entry.shadow, Marker):
            continue
        # An edit that no reading has shown yet, one that was read since, one that stands agreed.
        unseen = not same_raw(fields[name], entry.shadow, value)
        foreign = (
            name in did.ours
            and not is_ours(context, link, side, did, name, value)
            and not (state is not None and agrees(fields[name], entry, value, state))
        )
        set_there = state is not None and state.rev and state.set_by == side.connection
        if unseen or foreign or set_there:
            names.append(name)
    return sorted(names)


def unmake(
    context: Context, task: Task, ref: Ref, side: Side, record: Record, did: WrittenByRun
) -> Procedure:
    """Delete a record that the run made, if nobody has touched it and it may be deleted."""
    link = the_link(task)
    edited = touched(context, link, side, shown(context, link, side, record), did)
    if edited:
        why = f"{', '.join(edited)} changed there since"
        yield from transact(lambda tx: end(tx, context, task, [], why, edited))
        return
    told = bool((task.row.payload or {}).get("delete"))
    if why := may_not_be_deleted(context, link, ref, told=told):
        yield from transact(lambda tx: end(tx, context, task, [], why))
        return

    def untouched(now: Record) -> bool:
        return not touched(context, link, side, shown(context, link, side, now), did)

    write = yield from pause_and_write_down(context, task, side, DELETION)
    outcome = yield from send_attempt(
        context, task, write, lambda c: compare_and_delete(c, context, write, untouched)
    )
    if isinstance(outcome, Unknown):
        return

    def commit(tx: Tx) -> None:
        gone = outcome is None
        close(tx, side, "done" if gone else REFUSED, context.clock.now())
        side.tombstone = gone
        end(tx, context, task, ["deleted"] if gone else [], "" if gone else "changed there since")

    yield from transact(commit)


def may_not_be_deleted(context: Context, link: Link, ref: Ref, *, told: bool) -> str:
    """Return why a record may not be deleted; empty if it may. `told`: an admin wants it so."""
    able = context.capabilities[ref.connection][ref.entity]
    if not can_delete(able, context.probes.get(ref.connection, {})):
        return "the system cannot delete it"
    allowed = context.syncs[link.sync].members[ref.connection].allow_delete
    if not allowed and not told:
        return "it may not be deleted (say --delete-created)"
    return ""


def put_back(
    context: Context, task: Task, side: Side, record: Record, did: WrittenByRun
) -> Procedure:
    """Write the values of before, field by field, where the record still has what the run wrote."""
    link, fields = the_link(task), _fields(context, task, side)
    now_shown = shown(context, link, side, record)
    as_before, ours = as_before_and_ours(context, link, side, did, now_shown)
    edited = sorted(did.before.keys() - as_before - ours)
    wants = [
        Want(name, str(fields[name].write_key), did.before[name])
        for name in did.before
        if name in ours and fields[name].write_key
    ]
    done = [name for name in as_before if did.sent_back(name)]
    for call in calls_back(context, link, side, wants, now_shown):
        answer = yield from write_back(context, task, side, call)
        if isinstance(answer, Unknown):
            return
        if not isinstance(answer, Moved | Denied):
            done += [want.name for want in wants if want.key in call.body]
    left = sorted({want.name for want in wants} - set(done))
    why = "; ".join(
        [f"{', '.join(edited)} changed there since"] * bool(edited)
        + [f"{', '.join(left)} cannot be put back"] * bool(left)
    )
    yield from transact(lambda tx: end(tx, context, task, sorted(done), why, edited))


def as_before_and_ours(
    context: Context, link: Link, side: Side, did: WrittenByRun, now_shown: Mapping[str, Raw]
) -> tuple[set[str], set[str]]:
    """Return which fields show the value of before the run, and which still are what it wrote."""
    fields = context.maps[side.connection][link.entity].fields
    known = did.before.keys() & now_shown.keys()
    as_before = {
        name for name in known if same_raw(fields[name], did.before[name], now_shown[name])
    }
    changed = known - as_before
    return as_before, {
        name
        for name in changed
        if is_ours(context, link, side, did, name, now_shown[name])
        and not decided_there(link, side, did, name)
    }


def decided_there(link: Link, side: Side, did: WrittenByRun, name: str) -> bool:
    """Return whether a human there has set a field since the run wrote it, be it to the same."""
    state, written = link.state.get(name), did.revs.get(name, NEVER)
    since = state is not None and written != NEVER and state.rev > written
    return since and state is not None and state.set_by == side.connection


def calls_back(
    context: Context, link: Link, side: Side, wants: list[Want], now_shown: Mapping[str, Raw]
) -> list[PlannedCall]:
    """Return the calls that put values back.

    They lead away from the agreed state, so no field is level with it when they have landed.
    """
    able = context.capabilities[side.connection][link.entity]
    recipient = Recipient(link, side, context.rules(context.syncs[link.sync]), able)
    return [
        replace(
            planned,
            before={name: now_shown[name] for name in planned.sent if name in now_shown},
            state_values={},
            revs=dict.fromkeys(planned.sent, NEVER),
        )
        for planned in group_into_calls(recipient, wants)
    ]


def write_back(
    context: Context, task: Task, side: Side, call: PlannedCall
) -> Steps[Record | Moved | Denied | Unknown | None]:
    """Make one call that puts values of before back, and commit what came of it."""
    write = yield from pause_and_write_down(context, task, side, call)
    answer = yield from send_attempt(
        context, task, write, lambda c: compare_and_write(c, context, write)
    )
    if isinstance(answer, Moved | Denied):
        yield from store_step(task, voided(context, task, write))
    elif not isinstance(answer, Unknown):
        record = answer
        yield from transact(lambda tx: landed(tx, context, task, side, call.sent, record))
    return answer


def landed(
    tx: Tx,
    context: Context,
    task: Task,
    side: Side,
    sent: Mapping[str, Raw],
    answer: Record | None,
) -> None:
    """Close the attempt, and remember the side as behind: resumed, the ticket is brought level."""
    now = context.clock.now()
    close(tx, side, "done", now)
    values = shown(context, the_link(task), side, answer) if answer is not None else {}
    for name, raw in sent.items():
        entry = side.fields[name]
        entry.shadow, entry.level, entry.seen_at = values.get(name, raw), NEVER, now
        entry.remembered_answer = None
    save(tx, task, [], now)


def pause_and_write_down(
    context: Context, task: Task, side: Side, call: PlannedCall
) -> Steps[OpenWrite]:
    """Commit the attempt, and the pause.

    From here on the ticket is left alone, whatever happens to this worker. Whether it was paused
    before is kept with the work, in case nothing can be taken back. The timeline is told at the end
    what was not put back, so not of each bad outcome.
    """

    def commit(tx: Tx) -> OpenWrite:
        payload = task.row.payload
        if payload is not None and PAUSED_BEFORE not in payload:
            payload[PAUSED_BEFORE] = the_link(task).paused
            work.annotate(tx, task.row.key, payload)
        the_link(task).paused = True
        overtakes = "overtaken by an undo"
        to = changes(context, task)
        write = written_down(context, task, to, side, call, overtakes=overtakes, tells=frozenset())
        store_now(tx, task, to)
        return write

    granted_by = task.deadline(context, side.connection)
    yield from await_grant(side.connection, granted_by, weight=WEIGHT)
    return (yield from transact(commit))


def end_gone(tx: Tx, context: Context, task: Task) -> None:
    """End for a record that is gone: by this undo's own deletion, or by somebody else's."""
    side, done = the_link(task).sides.get(task.row.connection), list[str]()
    if side is not None:
        did = WrittenByRun(undoing=sent_by(tx, task, side))
        if any(attempt.verb == DELETE for attempt in did.undoing):
            done, side.tombstone = ["deleted"], True
        if side.attempt is not None and did.has_sent(side.attempt):
            close(tx, side, "done" if done else REFUSED, context.clock.now())
    end(tx, context, task, done, "" if done else "the record is gone")


def end(
    tx: Tx, context: Context, task: Task, done: list[str], why: str, edited: Sequence[str] = ()
) -> None:
    """Say in the ticket's timeline what was taken back and what was left, and pause it if any was.

    Where nothing was, the ticket is again as it was before. `edited`: the fields that anybody has
    changed since.
    """
    link, payload = the_link(task), task.row.payload or {}
    side = link.sides.get(task.row.connection)
    ref = f"{task.row.connection}:{side.remote_id}" if side else task.row.connection
    detail = {"run": payload["undoes"], "ref": ref}
    link.paused = bool(done) or payload.get(PAUSED_BEFORE, link.paused)
    notes = []
    if done:
        notes.append(Note(UNDONE, task.row.connection, ", ".join(done), detail))
    if why or not done:
        why = why or AS_BEFORE
        told: dict[str, Any] = detail | {"why": why, "fields": list(edited)}
        notes.append(Note(LEFT, task.row.connection, "", told))
    conclude(tx, context, task, notes)
    _end_run(tx, task, context.clock.now())


def _end_run(tx: Tx, task: Task, now: datetime) -> None:
    """End the undo's own run with the last piece of its work, whoever began it."""
    if (mine := task.row.run_id) is None:
        return
    run_writes.lock(tx, mine)
    if not run_writes.has_work(tx, mine, KIND):
        run_records.finish(tx, mine, now)
