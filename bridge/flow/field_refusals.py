"""Refused fields: finding out which one a vendor refuses, so that the others go through.

A refused field is a parked row of its own, with the revision of the state that was refused. As long
as it is parked and the state stands, plans leave the field out. An edit, a retry or a discard
brings it back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bridge.core.model.capabilities import refused_value
from bridge.core.model.entities import STATUS
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Note
from bridge.core.model.values import Raw
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.creation import CREATE
from bridge.engine.context import Context, Task
from bridge.errors import Lacking, RemoteError
from bridge.flow import call_parts
from bridge.flow.commit import conclude, saved, store_now, the_link
from bridge.ledger import parking, probes, work
from bridge.ledger.database import Tx

FIELD_STATUSES = frozenset({None, 400, 404, 409, 413, 422})
"""Statuses that may be about one value; any other says that the call as a whole is wrong."""
VALUE_STATUSES = frozenset({400, 422})
"""Statuses that are about a value for certain, if they are about a field at all."""
NO_SUCH_CALL = frozenset({405, 501})
"""Statuses that say that a deployment does not make such a call, whatever is sent and promised."""
_NEVER = re.compile(
    r"\b(?:(?:can)?not (?:be )?|un|non-?)"
    r"(?:supported|allowed|permitted|known|expected|recogni[sz]ed|editable|writ[e]?able|"
    r"changed|updated|modified|edited|set|written)\b"
    r"|\bread[ _-]?only\b|\bimmutable\b|\badditional propert",
    re.IGNORECASE,
)
"""Vendors' words for a field that is not there, or that nobody may change."""


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
        named = [key for key, raw in call.body.items() if names_field(error.detail, key, raw)]
        suspects = named if len(named) == 1 else sorted(call.body)
        work.annotate(tx, row.key, {**(row.payload or {}), "alone": suspects})
        work.reschedule(tx, row, task.owner, now, str(error))
        store_now(tx, task, saved(task, [], now, ends=True))
        return True
    park_fields(tx, context, task, call, error)
    return True


def names_field(detail: str, key: str, raw: Raw) -> bool:
    """Return whether an error's text says that it is about this key.

    It does as a quoted word (`"attr": "priority"`), as the key of a list of reasons, and as a plain
    word together with the value. `"status": 400` names no field.
    """
    word = re.escape(key.rpartition(".")[2])
    if re.search(rf'"{word}"(?!\s{{0,4}}:)|"{word}"\s{{0,4}}:\s{{0,4}}\[', detail):
        return True
    spoken = isinstance(raw, str) and len(raw) > 1 and raw in detail
    return spoken and re.search(rf"\b{word}\b(?!\"\s{{0,4}}:)", detail) is not None


def names_capability(error: RemoteError, key: str, raw: Raw) -> bool:
    """Return whether a refusal says that a deployment does not let a key be changed at all.

    It does by its status, or where it names the key with words for it and not the value: what is
    wrong with one record's value says nothing about the others.
    """
    if error.status in NO_SUCH_CALL:
        return True
    if error.status not in VALUE_STATUSES or not _NEVER.search(error.detail):
        return False
    values = raw if isinstance(raw, list | tuple) else [raw]
    blamed = [each for each in values if isinstance(each, str) and each]
    return _speaks_of(error.detail, key.split(".")) and not _speaks_of(error.detail, blamed)


def _speaks_of(detail: str, words: Iterable[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", detail) for word in words)


def park_refused_create(
    tx: Tx, context: Context, task: Task, values: Mapping[str, Raw], error: RemoteError
) -> list[Note] | None:
    """Park the optional fields that a refused create's answer names; return a note for each.

    None: it names none, and may be about any.
    """
    link, connection = the_link(task), task.row.connection
    writable = context.capabilities[connection][link.entity].writable
    notes: list[Note] = []
    for key, raw in values.items():
        optional = key in writable and not writable[key].required
        if not optional or not names_field(error.detail, key, raw):
            continue
        name = call_parts.field_of(context, link, connection, key)
        finding = finding_of(context, task, name, key, raw, error, on_create=True)
        if not learn(tx, context, connection, finding, error):
            _set_aside(tx, context, task, name, error, verb=CREATE, alone=None, learned=finding)
        notes.append(_not_carried(connection, name, error))
    return notes or None


def finding_of(
    context: Context,
    task: Task,
    name: str,
    key: str,
    raw: Raw,
    error: RemoteError,
    *,
    on_create: bool = False,
) -> str:
    """Return under which name a refusal is remembered; empty: it tells of one ticket alone.

    Only of fields with few words, or of null (nobody can be unassigned), and only where the answer
    is about values. Whether a status may be moved depends on the one before, so that an update's
    refusal says nothing about the word.
    """
    field = context.fields[the_link(task).entity].get(name)
    tells = field is not None and (field.kind == "choice" or raw is None)
    if not tells or error.status not in VALUE_STATUSES or (name == STATUS and not on_create):
        return ""
    return refused_value(key, raw, on_create=on_create)


def learn(tx: Tx, context: Context, connection: str, finding: str, error: RemoteError) -> bool:
    """Remember that a deployment refuses a word, so that no other ticket has to find out.

    True if that is known already: one parked row tells an admin of it, and frees it, for all
    tickets. Another call was on its way when it was learned.
    """
    if not finding:
        return False
    known = probes.findings(tx, connection).get(finding) is False
    probes.record(tx, connection, finding, False, str(error), context.clock.now())
    context.probes.setdefault(connection, {})[finding] = False
    return known


def park_fields(
    tx: Tx, context: Context, task: Task, call: PlannedCall, error: RemoteError
) -> None:
    """Park what the call is made for, and plan the rest.

    Each field becomes a parked row of its own, and each element of a set likewise. A word that is
    known to be refused from all tickets is not carried.
    """
    now, row, link = context.clock.now(), task.row, the_link(task)
    work.finish(tx, row, task.owner, now)
    alone = call.body if call_parts.of_element(context, link, row.connection, call) else None
    by_name = {
        call_parts.field_of(context, link, row.connection, key): (key, raw)
        for key, raw in call.body.items()
    }
    notes = []
    for name in call_parts.purpose(context, link, row.connection, call):
        finding = ""
        if alone is None and name in by_name:
            finding = finding_of(context, task, name, *by_name[name], error)
        if learn(tx, context, row.connection, finding, error):
            notes.append(_not_carried(row.connection, name, error))
            continue
        _set_aside(tx, context, task, name, error, verb=call.verb, alone=alone, learned=finding)
    task.look_at_work(tx)
    conclude(tx, context, task, notes)
    keep_tracing(tx, task, call)


def _not_carried(connection: str, name: str, error: RemoteError) -> Note:
    detail = {"why": f"refused: {error}", "code": Code.FIELD_REFUSED}
    return Note("not carried", connection, name, detail)


def _set_aside(
    tx: Tx,
    context: Context,
    task: Task,
    name: str,
    error: RemoteError,
    *,
    verb: str,
    alone: Mapping[str, Raw] | None,
    learned: str = "",
) -> None:
    """Park one field, or one element of a set, of what was refused for this side.

    What was learned of it is forgotten again when an operator frees the row.
    """
    row, link = task.row, the_link(task)
    mark = "" if alone is None else f":{verb}:{next(iter(alone.values()))}"
    parking.set_aside(
        tx,
        kind="deliver",
        key=f"deliver:{link.id}:{row.connection}:{name}{mark}",
        connection=row.connection,
        entity=row.entity,
        link_id=link.id,
        payload={
            "field": name,
            "rev": link.state[name].rev,
            "verb": verb,
            "values": alone,
            **({parking.LEARNED: learned} if learned else {}),
        },
        why=f"{name}: {error}",
        cause=type(error).__name__,
        now=context.clock.now(),
    )


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
                detail = {"element": element, "why": str(error), "code": Code.FIELD_REFUSED}
                notes.append(Note("not carried", connection, name, detail))
    conclude(tx, context, task, notes)


def is_traced(task: Task) -> bool:
    """Return whether it is being found out which field a vendor refuses."""
    return bool(_suspects(task))


def keep_tracing(tx: Tx, task: Task, call: PlannedCall) -> None:
    """Let the next work for this side try the other suspects one by one, too."""
    rest = [key for key in _suspects(task) if key not in call.body]
    if rest:
        work.annotate(
            tx, f"{task.row.kind}:{the_link(task).id}:{task.row.connection}", {"alone": rest}
        )


def _suspects(task: Task) -> list[str]:
    return list((task.row.payload or {}).get("alone", ()))
