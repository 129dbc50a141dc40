"""What a reading comes to, before it is committed: the record is taken into the link's agreed state, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bridge.connectors.contract import Record
from bridge.core.merge import lifecycle, observations
from bridge.core.merge.case import Observation
from bridge.core.model.state import Link, Note, Side
from bridge.engine.context import Context
from bridge.flow import people
from bridge.flow.readings import observation, with_swept
from bridge.ledger.work import WorkRow


@dataclass(slots=True)
class Reading:
    """What a reading came to, before it is committed."""

    said: str
    """The verdict on the webhooks that waited; `pending`: none yet."""
    why: str
    notes: list[Note]
    again_at: datetime | None = None
    closes: str | None = None
    """The attempt that the reading has settled."""


def merged(context: Context, row: WorkRow, link: Link, side: Side, record: Record) -> Reading:
    """Take a record into the agreed state."""
    mapped, settle = (
        context.maps[side.connection][link.entity],
        context.settling_time(side.connection, link.entity),
    )
    before = {name: state.rev for name, state in link.state.items()}
    if (row.payload or {}).get(people.MET):
        people.read_anew(context, link, side)
    seen = observation(
        with_swept(record, row.payload, side, mapped, settle), mapped, link.parent_id
    )
    if not observations.is_believable(side, seen, settle.total_seconds()):
        stepped = Note(
            "suspect", side.connection, "", {"why": "an older version; read again after settling"}
        )
        return Reading("pending", "", [stepped], again_at=context.clock.now() + settle)
    touched = seen.version is None or seen.version != side.version
    back = lifecycle.enter_scope(side)
    notes, closes = absorbed(link, side, seen, context)
    if any(state.rev != before.get(name, 0) for name, state in link.state.items()):
        for each in link.sides.values():
            each.in_vain = 0  # there is something else to be written now
        return Reading("applied", "", [*back, *notes], closes=closes)
    said, why = ("no-op", "touched, no mapped change") if touched else ("echo", "")
    return Reading(said, why, [*back, *notes], closes=closes)


def absorbed(
    link: Link, side: Side, seen: Observation, context: Context
) -> tuple[list[Note], str | None]:
    """Absorb a reading made under the lease; give its notes and the id of the attempt that it closed, if any.

    Nothing can have been read since: where it seems older than the last one, another machine's
    clock was ahead.
    """
    seen = replace(seen, read_at=max(seen.read_at, side.read_at or seen.read_at))
    open_before = side.attempt.id if side.attempt else None
    notes = observations.absorb(link, seen, context.rules(context.syncs[link.sync]))
    closed = (
        open_before
        if open_before and (side.attempt is None or side.attempt.id != open_before)
        else None
    )
    return notes, closed
