"""Writes that somebody has confirmed beforehand, and how a run makes those and no others.

Work that carries them is for them alone. Where by its turn another call is due, a human has edited
the ticket meanwhile: then the run lets go of it, says so in the ticket's timeline, and what follows
from that edit is ordinary work, as it is for every edit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from bridge.core.model.state import Link, Note
from bridge.core.model.values import Raw
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context, Task
from bridge.flow import call_parts
from bridge.ledger.taking import LinkWork
from bridge.ledger.work import NewWork, WorkRow

CONFIRMED: Final = "confirmed"
"""In the payload of a delivery: by field, a digest of each value that may be sent."""
LEFT_ALONE: Final = "left alone"
"""Kind of note: a run did not write what was confirmed, for something else was due by then."""
PAUSED: Final = "the run is paused, and the ticket has been edited"
"""Why it did not, where others ask for a write while an admin holds the run."""

ConfirmedValues = Mapping[str, list[str]]


def digest(raw: Raw) -> str:
    """Return a digest of a value: what is confirmed is kept without anybody's data."""
    text = json.dumps(raw, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def of(row: WorkRow) -> ConfirmedValues | None:
    """Return what a piece of work is for; None: for whatever is due."""
    return (row.payload or {}).get(CONFIRMED)


def covers(values: ConfirmedValues, sent: Mapping[str, Raw]) -> bool:
    """Return whether each field of a call is sent as it was confirmed."""
    return all(digest(raw) in values.get(name, ()) for name, raw in sent.items())


def covers_any(values: ConfirmedValues, sent: Mapping[str, Raw]) -> bool:
    """Return whether any field of a call is sent as it was confirmed."""
    return any(digest(raw) in values.get(name, ()) for name, raw in sent.items())


def is_all(task: Task, calls: Iterable[PlannedCall]) -> bool:
    """Return whether nothing is due but what the work is for."""
    values = of(task.row)
    return values is not None and all(covers(values, call.sent) for call in calls)


def part_of(context: Context, task: Task, link: Link, call: PlannedCall) -> PlannedCall:
    """Return the part of a call that the work is for, where others may be sent by themselves."""
    values, connection = of(task.row), task.row.connection
    if values is None or covers(values, call.sent):
        return call
    fields = context.maps[connection][link.entity].fields
    mine = {name: raw for name, raw in call.sent.items() if covers(values, {name: raw})}
    keys = {key for name in mine if (key := fields[name].write_key) in call.body}
    if not keys or not call_parts.divisible(context, link, connection, call):
        return call
    return call_parts.cut(context, link, connection, call, {str(key) for key in keys})


def let_go(task: Task, call: PlannedCall | None, *, why: str = "") -> list[Note]:
    """Let go of work for confirmed writes unless this call is one; return the line for it.

    Afterwards the task is ordinary work, of no run.
    """
    values = of(task.row)
    if values is None or (call is not None and covers(values, call.sent)):
        return []
    payload = {key: value for key, value in (task.row.payload or {}).items() if key != CONFIRMED}
    due = () if call is None else call.sent
    note = left_alone(task, task.row.connection, values, due=due, why=why)
    task.row = replace(task.row, run_id=None, payload=payload or None)
    return [note]


def left_alone(
    task: Task, connection: str, fields: Iterable[str], *, due: Iterable[str], why: str = ""
) -> Note:
    """Return the line of the timeline for confirmed fields that a run does not write."""
    other = ", ".join(sorted(due))
    if not why:
        why = f"something else is due by now: {other}" if other else "it is not needed any more"
    detail: dict[str, Any] = {"run": task.row.run_id, "why": why}
    return Note(LEFT_ALONE, connection, ", ".join(sorted(fields)), detail)


def passed_on(
    row: WorkRow, raised: Iterable[NewWork], link_work: Iterable[LinkWork]
) -> list[NewWork]:
    """Return the work that follows from a look at a ticket, or from a confirmed write.

    Of a confirmed write, what is left for the same side is for the same writes; all else is none of
    the run's. Set aside, it stays its run's, whoever comes upon it: the run may be paused.
    """
    if of(row) is None:
        theirs = {each.key for each in link_work if CONFIRMED in each.payload}
        return [replace(new, run_id=None) if new.key in theirs else new for new in raised]
    return [
        replace(new, payload=row.payload) if new.key == row.key else replace(new, run_id=None)
        for new in raised
    ]
