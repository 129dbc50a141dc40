"""Undo: take back what a run wrote, wherever the record still has it. What anybody has changed since is left alone.

A ticket of which something was taken back is paused, with the reason in its timeline: the bridge
does not do again by itself what an admin has just undone. `bridge link resume` lets it go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from bridge.connectors.contract import Connector, Record
from bridge.core.merge.equality import agrees, same_raw
from bridge.core.model.state import NEVER, Attempt, Link, Note, Side
from bridge.core.model.values import Marker, Raw, Ref, Unreadable
from bridge.core.planning.calls import PlannedCall, Recipient, Want, group_into_calls
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, Steps, call_vendor, read_record, transact
from bridge.errors import LeaseLost, RemoteError, UnknownOutcome
from bridge.flow.commit import conclude, later, save, take_lease, the_link
from bridge.flow.delete import compare_and_delete
from bridge.flow.deliver import Moved, compare_and_write
from bridge.flow.field_refusals import Denied
from bridge.flow.observe import still_open
from bridge.flow.readings import observation
from bridge.ledger import attempts, run_records, run_writes, work
from bridge.ledger.database import Tx

KIND: Final = "undo"
UNDONE, LEFT = "undone", "not undone"


@dataclass(slots=True)
class Wrote:
    """What a run wrote to one record."""

    made: bool = False
    ours: dict[str, list[Raw]] = field(default_factory=dict)
    """By field: the values that count as ours (what was sent, and what it was answered with)."""
    before: dict[str, Raw] = field(default_factory=dict)


def start(
    tx: Tx, run_id: str, now: datetime, *, delete_created: bool = False
) -> tuple[str | None, int]:
    """Queue the undoing of a run; gives its own run (None: one is under way) and how many records it is about."""
    run = run_records.get(tx, run_id)
    if run is None:
        return None, 0
    mine = run_records.begin(
        tx, kind=KIND, connection=run.connection, entity=run.entity, due=now, now=now
    )
    if mine is None:
        return None, 0
    run_records.progress(
        tx, mine, cursor=None, seen=0, hinted=0, now=now, figures={"undoes": int(run_id)}
    )
    found = records(tx, run_id)
    for link_id, connection, entity in found:
        work.enqueue(
            tx,
            kind=KIND,
            key=f"undo:{run_id}:{link_id}:{connection}",
            connection=connection,
            entity=entity,
            link_id=link_id,
            lane="operator",
            due_at=now,
            now=now,
            payload={"undoes": int(run_id), "delete": delete_created},
            run_id=int(mine),
        )
    return mine, len(found)


def records(tx: Tx, run_id: str) -> list[tuple[str, str, str]]:
    """Give the link, connection and entity of every record that a run wrote to."""
    wrote: list[run_writes.CreatedRecord | run_writes.CarriedOutWrite] = [
        *run_writes.made(tx, int(run_id)),
        *run_writes.changed(tx, int(run_id)),
    ]
    return sorted({(each.link_id, each.connection, each.entity) for each in wrote})


def take_back(context: Context, task: Task) -> Procedure:
    """Read the record; delete it if the run made it and nobody has touched it, else put back what still is ours."""

    def begin(tx: Tx) -> tuple[Side | None, Wrote]:
        if not take_lease(tx, context, task, str(task.row.link_id)):
            return None, Wrote()
        side = the_link(task).live().get(task.row.connection)
        if side is None:
            end(tx, context, task, [], "the record is gone")
            return None, Wrote()
        if (wait := still_open(context, the_link(task), side)) is not None:
            later(tx, task, wait)
            return None, Wrote()
        return side, wrote(tx, task, side)

    side, did = yield from transact(begin)
    if side is None:
        return
    ref = Ref(side.connection, the_link(task).entity, side.remote_id)
    record = yield from read_record(
        ref.connection, ref.entity, ref.id, task.deadline(context, ref.connection)
    )
    if record is None:
        yield from transact(lambda tx: end(tx, context, task, [], "the record is gone"))
    elif did.made:
        yield from unmake(context, task, ref, side, record, did)
    else:
        yield from put_back(context, task, ref, side, record, did)


def wrote(tx: Tx, task: Task, side: Side) -> Wrote:
    """Put together what the run wrote to this record: the first value before, and all that counts as ours."""
    run_id, link_id = int((task.row.payload or {})["undoes"]), the_link(task).id
    did = Wrote()
    for made in run_writes.made(tx, run_id, link_id=link_id):
        if made.connection == side.connection and made.remote_id == side.remote_id:
            did.made = True
            did.ours = {name: [raw] for name, raw in made.sent.items()}
    for each in run_writes.changed(tx, run_id, link_id=link_id):
        if each.connection != side.connection or each.remote_id != side.remote_id:
            continue
        for name, raw in each.attempt.sent.items():
            did.before.setdefault(name, each.attempt.before.get(name))
            did.ours[name] = [raw, *([each.read_back[name]] if name in each.read_back else [])]
    for name, values in did.ours.items():
        entry = side.fields.get(name)
        if entry is not None and entry.got is not None:
            values.append(entry.got[1])
    return did


def shown(context: Context, link: Link, side: Side, record: Record) -> dict[str, Any]:
    """Give what the record shows, by field, without what cannot be read."""
    values = observation(record, context.maps[side.connection][link.entity], link.parent_id).values
    return {
        name: value for name, value in values.items() if not isinstance(value, Marker | Unreadable)
    }


def is_ours(context: Context, link: Link, side: Side, did: Wrote, name: str, value: Raw) -> bool:
    """Tell whether a value is still the one that the run wrote."""
    mapped = context.maps[side.connection][link.entity].fields[name]
    return any(same_raw(mapped, raw, value) for raw in did.ours.get(name, ()))


def touched(context: Context, link: Link, side: Side, record: Record, did: Wrote) -> list[str]:
    """Give the fields of a record made by the run that anybody has changed there since."""
    fields = context.maps[side.connection][link.entity].fields
    found = []
    for name, value in shown(context, link, side, record).items():
        entry, state = side.fields.get(name), link.state.get(name)
        if fields[name].parent or entry is None or isinstance(entry.shadow, Marker):
            continue
        unseen = not same_raw(fields[name], entry.shadow, value)
        foreign = (
            name in did.ours
            and not is_ours(context, link, side, did, name, value)
            and not (state is not None and agrees(fields[name], entry, value, state))
        )
        if (
            unseen
            or foreign
            or (state is not None and state.rev and state.set_by == side.connection)
        ):
            found.append(name)
    return sorted(found)


def unmake(
    context: Context, task: Task, ref: Ref, side: Side, record: Record, did: Wrote
) -> Procedure:
    """Delete a record that the run made, if nobody has touched it and it may be deleted."""
    link = the_link(task)
    edited = touched(context, link, side, record, did)
    if edited:
        why = f"{', '.join(edited)} changed there since"
        yield from transact(lambda tx: end(tx, context, task, [], why))
        return
    member, able = (
        context.syncs[link.sync].members[ref.connection],
        context.capabilities[ref.connection][ref.entity],
    )
    if not able.deletes or not (member.allow_delete or (task.row.payload or {}).get("delete")):
        why = (
            "the system cannot delete it"
            if not able.deletes
            else "it may not be deleted (say --delete-created)"
        )
        yield from transact(lambda tx: end(tx, context, task, [], f"{why}: its ticket is paused"))
        return
    opened = yield from write_down(
        context,
        task,
        side,
        Attempt(context.fresh_id(), "delete", {}, {}, {}, {}, context.send_by(side.connection)),
    )

    def guarded(connector: Connector) -> bool:
        def untouched(now: Record) -> bool:
            return not touched(context, link, side, now, did)

        return compare_and_delete(connector, ref, untouched, context, opened.send_by) is None

    gone = yield from attempted(context, task, side, opened, guarded)
    if gone is None:
        return

    def commit(tx: Tx) -> None:
        attempts.close(
            tx, opened.id, "done" if gone else "refused", None, context.clock.now(), None
        )
        side.attempt, side.tombstone = None, bool(gone)
        end(tx, context, task, ["deleted"] if gone else [], "" if gone else "changed there since")

    yield from transact(commit)


def put_back(
    context: Context, task: Task, ref: Ref, side: Side, record: Record, did: Wrote
) -> Procedure:
    """Write the values of before, field by field, where the record still has what the run wrote."""
    link = the_link(task)
    able, rules = (
        context.capabilities[ref.connection][ref.entity],
        context.rules(context.syncs[link.sync]),
    )
    now_shown = shown(context, link, side, record)
    ours = [
        name
        for name in did.before
        if name in now_shown and is_ours(context, link, side, did, name, now_shown[name])
    ]
    edited = sorted(did.before.keys() - set(ours))
    target = Recipient(link, side, rules, able)
    fields = context.maps[ref.connection][ref.entity].fields
    wants = [
        Want(name, str(fields[name].write_key), did.before[name])
        for name in ours
        if fields[name].write_key and not same_raw(fields[name], did.before[name], now_shown[name])
    ]
    done: list[str] = []
    for planned in group_into_calls(target, wants):
        call = replace(
            planned,
            before={name: now_shown.get(name) for name in planned.sent if name in now_shown},
        )
        revs = dict.fromkeys(call.sent, NEVER)
        attempt = Attempt(
            context.fresh_id(),
            call.verb,
            dict(call.sent),
            dict(call.before),
            {},
            revs,
            context.send_by(side.connection),
            dict(call.values),
        )
        opened = yield from write_down(context, task, side, attempt)
        sending = _sending(context, ref, call, side, opened.send_by)
        answer = yield from attempted(context, task, side, opened, sending)
        if answer is None:
            return
        wrote_it = not isinstance(answer[0], Moved | Denied)
        yield from transact(
            _landing(context, task, side, call, opened, answer[0], wrote_it=wrote_it)
        )
        if wrote_it:
            done += [want.name for want in wants if want.key in call.values]
    left = sorted({want.name for want in wants} - set(done))
    why = "; ".join(
        [f"{', '.join(edited)} changed there since"] * bool(edited)
        + [f"{', '.join(left)} cannot be put back"] * bool(left)
    )
    yield from transact(lambda tx: end(tx, context, task, sorted(done), why))


def landed(
    tx: Tx,
    context: Context,
    task: Task,
    side: Side,
    call: PlannedCall,
    opened: Attempt,
    answer: Any,
    *,
    wrote_it: bool,
) -> None:
    """Close the attempt, and remember the side as behind: resumed, the ticket is brought level again."""
    now = context.clock.now()
    attempts.close(tx, opened.id, "done" if wrote_it else "refused", None, now, None)
    side.attempt = None
    values = (
        shown(context, the_link(task), side, answer)
        if wrote_it and isinstance(answer, Record)
        else {}
    )
    for name, raw in (call.sent if wrote_it else {}).items():
        entry = side.fields[name]
        entry.shadow, entry.level, entry.seen, entry.got = values.get(name, raw), NEVER, now, None
    save(tx, task, [], now)


def _sending(
    context: Context, ref: Ref, call: PlannedCall, side: Side, send_by: datetime
) -> Callable[[Connector], tuple[Any, bool]]:
    return lambda c: (compare_and_write(c, ref, call, side, context, send_by), True)


def _landing(
    context: Context,
    task: Task,
    side: Side,
    call: PlannedCall,
    opened: Attempt,
    answer: Any,
    *,
    wrote_it: bool,
) -> Callable[[Tx], None]:
    return lambda tx: landed(tx, context, task, side, call, opened, answer, wrote_it=wrote_it)


def write_down(context: Context, task: Task, side: Side, attempt: Attempt) -> Steps[Attempt]:
    """Commit the attempt, and the pause: from here on the ticket is left alone, whatever happens to this worker."""

    def commit(tx: Tx) -> None:
        now = context.clock.now()
        if side.attempt is not None:
            attempts.close(tx, side.attempt.id, "overtaken by an undo", None, now, None)
        side.attempt, the_link(task).paused = attempt, True
        save(tx, task, [], now)
        attempts.begin(tx, the_link(task).id, side, now, run_id=task.row.run_id)

    yield from transact(commit)
    return attempt


def attempted(context: Context, task: Task, side: Side, opened: Attempt, act: Any) -> Steps[Any]:
    """Send; an unknown outcome is looked at again after settling (then None), anything else voids the attempt."""
    try:
        return (yield from call_vendor(side.connection, act, opened.send_by, weight=2))
    except UnknownOutcome:
        at = opened.send_by + context.settle(side.connection, the_link(task).entity)
        yield from transact(lambda tx: later(tx, task, at))
        return None
    except (RemoteError, LeaseLost):

        def void(tx: Tx) -> None:
            attempts.close(tx, opened.id, "refused", None, context.clock.now(), None)
            side.attempt = None
            save(tx, task, [], context.clock.now())

        yield from transact(void)
        raise


def end(tx: Tx, context: Context, task: Task, done: list[str], why: str) -> None:
    """Pause the ticket, and say in its timeline what was taken back and what was left."""
    link, of = the_link(task), (task.row.payload or {})["undoes"]
    side = link.sides.get(task.row.connection)
    ref = f"{task.row.connection}:{side.remote_id}" if side else task.row.connection
    link.paused = True
    notes = []
    if done:
        notes.append(Note(UNDONE, task.row.connection, ", ".join(done), {"run": of, "ref": ref}))
    if why:
        notes.append(Note(LEFT, task.row.connection, "", {"run": of, "ref": ref, "why": why}))
    if not done and not why:
        notes.append(
            Note(
                UNDONE,
                task.row.connection,
                "",
                {"run": of, "ref": ref, "why": "it reads as before already"},
            )
        )
    conclude(tx, context, task, notes)
