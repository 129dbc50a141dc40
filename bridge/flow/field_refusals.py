"""Refused fields: finding out which one a vendor refuses, so that the others go through.

A refused field is a parked row of its own, with the revision of the state that was refused. As long
as it is parked and the state stands, plans leave the field out. An edit, a retry or a discard
brings it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.core.model.state import Note
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context, Task
from bridge.errors import Lacking, RemoteError
from bridge.flow import call_parts
from bridge.flow.commit import conclude, save, the_link
from bridge.ledger import parking, work
from bridge.ledger.database import Tx

FIELD_STATUSES = frozenset({None, 400, 404, 409, 413, 422})
"""Statuses that may be about one value; any other says that the call as a whole is wrong."""


def next_call(context: Context, task: Task, calls: Sequence[PlannedCall]) -> PlannedCall:
    """Return the call to be made now: the first, cut to one field while a refusal is traced."""
    call, link, connection = calls[0], the_link(task), task.row.connection
    for key in _suspects(task):
        if key in call.body and call_parts.divisible(context, link, connection, call):
            return call_parts.cut(context, link, connection, call, {key})
    return call


def handle_refusal(
    tx: Tx, context: Context, task: Task, call: PlannedCall, error: RemoteError
) -> bool:
    """After a refusal, park one field, or try the call's fields one by one.

    False when neither helps, for the call as a whole is wrong.
    The attempt must have been voided before.
    """
    if isinstance(error, Lacking):
        put_down_element(tx, context, task, call, error)
        return True
    if error.status not in FIELD_STATUSES:
        return False
    now, row, link = context.clock.now(), task.row, the_link(task)
    if call_parts.divisible(context, link, row.connection, call):
        named = [key for key in call.body if f'"{key}"' in error.detail]
        suspects = named if len(named) == 1 else sorted(call.body)
        work.annotate(tx, row.key, {**(row.payload or {}), "alone": suspects})
        work.reschedule(tx, row, task.owner, now, str(error))
        save(tx, task, [], now)
        task.give_back(tx)
        return True
    park_fields(tx, context, task, call, error)
    return True


def park_fields(
    tx: Tx, context: Context, task: Task, call: PlannedCall, error: RemoteError
) -> None:
    """Park what the call is made for, and plan the rest.

    Each field becomes a parked row of its own, and each element of a set likewise.
    """
    now, row, link = context.clock.now(), task.row, the_link(task)
    work.finish(tx, row, task.owner, now)
    alone = call.body if call_parts.of_element(context, link, row.connection, call) else None
    mark = "" if alone is None else f":{call.verb}:{next(iter(alone.values()))}"
    for name in call_parts.purpose(context, link, row.connection, call):
        parking.set_aside(
            tx,
            kind=row.kind,
            key=f"{row.kind}:{link.id}:{row.connection}:{name}{mark}",
            connection=row.connection,
            entity=row.entity,
            link_id=link.id,
            payload={
                "field": name,
                "rev": link.state[name].rev,
                "verb": call.verb,
                "values": alone,
            },
            why=f"{name}: {error}",
            cause=type(error).__name__,
            now=now,
        )
    conclude(tx, context, task, [])
    keep_tracing(tx, task, call)


def put_down_element(
    tx: Tx, context: Context, task: Task, call: PlannedCall, error: Lacking
) -> None:
    """Leave an element that the system does not know alone until its state changes."""
    link, connection = the_link(task), task.row.connection
    notes = []
    for name in call.sent:
        field_map, entry = (
            context.maps[connection][link.entity].fields[name],
            link.sides[connection].fields[name],
        )
        for element, known in link.state[name].elements.items():
            if field_map.write(element) in call.body.values():
                entry.lacks[element] = known.rev
                notes.append(
                    Note("not carried", connection, name, {"element": element, "why": str(error)})
                )
    conclude(tx, context, task, notes)


def keep_tracing(tx: Tx, task: Task, call: PlannedCall) -> None:
    """Let the next work for this side try the other suspects one by one, too."""
    rest = [key for key in _suspects(task) if key not in call.body]
    if rest:
        work.annotate(
            tx, f"{task.row.kind}:{the_link(task).id}:{task.row.connection}", {"alone": rest}
        )


def _suspects(task: Task) -> list[str]:
    return list((task.row.payload or {}).get("alone", ()))
