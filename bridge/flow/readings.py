"""Readings: from a connector's record to what it changes in its link, in memory.

`observation` turns the record into what the merge takes; `merge_record` merges it and says what
the reading came to. Whoever asked for it commits that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge import lifecycle, observations
from bridge.core.merge.case import Observation
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref, Unreadable
from bridge.engine.context import Context
from bridge.flow import people
from bridge.ledger.work import WorkRow


@dataclass(slots=True)
class Reading:
    """What a reading came to, before it is committed."""

    verdict: str
    """On the webhooks that waited for it; `pending`: none yet."""
    why: str
    notes: list[Note]
    again_at: datetime | None = None
    """When the record has to be read again."""
    closes: str | None = None
    """The attempt of which the reading has shown what became of it."""
    heir: Ref | None = None
    """Another copy, which takes the place of the record that is gone."""


def observation(
    record: Record,
    entity_map: EntityMap,
    parent_id: str | None = None,
    *,
    own: bool = False,
    sent_at: datetime | None = None,
) -> Observation:
    """Return a record's mapped fields as the merge takes them.

    What the connector says must not be believed becomes unreadable. `parent_id` is our id of the
    ticket that the record belongs to, which is the same on every connection.
    """
    values = entity_map.extract(record.data)
    if entity_map.parent is not None:
        values[entity_map.parent.name] = (
            parent_id
            if parent_id is not None
            else Unreadable("its ticket is not mirrored", Code.READ_PARENT)
        )
    for name, field_map in entity_map.fields.items():
        if field_map.write_key is not None and field_map.write_key in record.unreadable:
            values[name] = Unreadable(record.unreadable[field_map.write_key], Code.READ_EMPTY)
    return Observation(
        connection=record.ref.connection,
        values=values,
        read_at=sent_at or record.read_at,
        changed_before=record.changed_before,
        version=entity_map.version(record.data),
        own=own,
        clocks=record.clocks,
    )


def merge_record(context: Context, row: WorkRow, link: Link, side: Side, record: Record) -> Reading:
    """Merge a record that was read under the lease into the link's agreed state."""
    side.handle = record.handle or side.handle
    entity_map = context.maps[side.connection][link.entity]
    settling_time = context.settling_time(side.connection, link.entity)
    revisions = {name: state.rev for name, state in link.state.items()}
    if (row.payload or {}).get(people.MET):
        people.read_anew(context, link, side)
    complete = with_listed_values(record, row.payload, side, entity_map, settling_time)
    obs = observation(complete, entity_map, link.parent_id)
    if not is_believable(context, link, side, obs):
        why = "an older version; read again after settling"
        note = Note("suspect", side.connection, "", {"why": why})
        return Reading("pending", "", [note], again_at=context.clock.now() + settling_time)
    touched = obs.version is None or obs.version != side.version
    rules = context.rules(context.syncs[link.sync])
    notes = lifecycle.enter_scope(link, side, record.read_at, rules)
    merge_notes, closes = merge_observation(context, link, side, obs)
    context.look_for_unknown(record, side)
    notes += merge_notes
    if any(state.rev != revisions.get(name, 0) for name, state in link.state.items()):
        for each in link.sides.values():
            each.in_vain = 0  # there is something else to be written now
        return Reading("applied", "", notes, closes=closes)
    # An edit that was undone before we looked moves the version alone (rule F22).
    verdict, why = ("no-op", "touched, no mapped change") if touched else ("echo", "")
    return Reading(verdict, why, notes, closes=closes)


def is_believable(context: Context, link: Link, side: Side, obs: Observation) -> bool:
    """Return whether a read may be merged: its version has not stepped back, or has for good."""
    settling_time = context.settling_time(side.connection, link.entity)
    lag = context.appearing_time(side.connection, link.entity)
    return observations.is_believable(side, obs, settling_time.total_seconds(), lag.total_seconds())


def merge_observation(
    context: Context, link: Link, side: Side, obs: Observation
) -> tuple[list[Note], str | None]:
    """Merge what was read under the lease.

    Return the notes, and the id of the attempt that it closed, if any. Nothing can have been read
    since: where it seems older than the last one, another machine's clock was ahead.
    """
    obs = replace(obs, read_at=max(obs.read_at, side.read_at or obs.read_at))
    open_before = side.attempt.id if side.attempt else None
    notes = observations.absorb(link, obs, context.rules(context.syncs[link.sync]))
    open_after = side.attempt.id if side.attempt else None
    return notes, open_before if open_before != open_after else None


def with_listed_values(
    record: Record,
    payload: Mapping[str, Any] | None,
    side: Side,
    entity_map: EntityMap,
    settling_time: timedelta,
) -> Record:
    """Add to a direct read what only a full listing shows.

    `runs.comparison.queue_observes` sends these values along with the work. They count only as far
    as the side was neither seen nor written since that listing.
    """
    swept = (payload or {}).get("swept")
    if not swept:
        return record
    listed_at = datetime.fromisoformat(swept["at"])
    fresh = {
        field_map.write_key
        for name, field_map in entity_map.fields.items()
        if field_map.write_key is not None
        and not _known_since(side, name, listed_at, settling_time)
    }
    values = {name: value for name, value in swept["values"].items() if name in fresh}
    too_large = {name: why for name, why in swept.get("unreadable", {}).items() if name in fresh}
    unreadable = {name: why for name, why in record.unreadable.items() if name not in values}
    return record._replace(data={**record.data, **values}, unreadable=unreadable | too_large)


def _known_since(side: Side, name: str, at: datetime, settling_time: timedelta) -> bool:
    """Return whether a field was seen after that time, or may have been written by us since."""
    entry, attempt = side.fields.get(name), side.attempt
    if (
        entry is not None
        and not entry.unreadable
        and entry.seen_at is not None
        and entry.seen_at > at
    ):
        return True
    if attempt is None or name not in attempt.sent:
        return False
    return at < attempt.send_by + settling_time
