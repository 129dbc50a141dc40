"""Comparing one record with what its link knows of that side, field by field."""

from __future__ import annotations

from datetime import datetime

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.case import Observation
from bridge.core.merge.equality import elements_of, same_raw
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Side, SideField
from bridge.core.model.values import Marker, Raw, Unreadable
from bridge.engine.context import Context
from bridge.flow.readings import observation

NEVER_READ = "it was never read before"
REMAPPED = "its mapping has changed since it was read"
NOT_SHOWN = "it has changed, and its listing does not show all of it"
_BY_WEIGHT = (REMAPPED, NEVER_READ, NOT_SHOWN)


def differences(
    context: Context, link: Link, record: Record, *, full: bool
) -> tuple[list[str], str]:
    """Return the fields in which a record differs, and what explains all of them without an edit.

    That is NEVER_READ, REMAPPED or NOT_SHOWN; empty: somebody may have edited the record.
    A field differs if the record shows something else than the side's shadow, and may if the row of
    a record that has changed leaves it out. What only full listings show is left aside in the
    others. A set that has become doubtful is worth one look, so that the timeline says so; where no
    direct read shows it at all, a look would tell nothing.
    """
    connection = record.ref.connection
    entity_map, side = context.maps[connection][link.entity], link.sides[connection]
    only_listed = context.capabilities[connection][link.entity].only_listed
    names: list[str] = []
    reasons: set[str] = set()
    obs = observation(record, entity_map)
    for name in _left_out(record, obs, side, entity_map):
        names.append(name)
        reasons.add(NOT_SHOWN)
    for name, value in obs.values.items():
        field_map, entry = entity_map.fields[name], side.fields.get(name)
        if (
            isinstance(value, Marker)
            or field_map.parent
            or (field_map.write_key in only_listed and not full)
        ):
            continue
        if isinstance(value, Unreadable):
            if _is_believed_set(entry) and field_map.write_key not in only_listed:
                names.append(name)
                reasons.add("")
        elif _differs(field_map, entry, value):
            names.append(name)
            reasons.add(_without_an_edit(field_map, entry))
    if not names or "" in reasons:
        return names, ""
    return names, next(reason for reason in _BY_WEIGHT if reason in reasons)


def _left_out(record: Record, obs: Observation, side: Side, entity_map: EntityMap) -> list[str]:
    """Return the fields that a row leaves out, of a record that has changed since it was read."""
    if not has_moved(record, obs.version, side.version, side.read_at):
        return []
    return [
        name
        for name, value in obs.values.items()
        if isinstance(value, Marker) and may_be_edited(entity_map.fields[name])
    ]


def has_moved(
    record: Record, version: str | None, known: str | None, read_at: datetime | None
) -> bool:
    """Return whether a row that leaves fields out says that its record changed since it was read.

    `known`: the version that it had then. A time of change has a resolution: what was read within
    the same second may be older.
    """
    if not record.partial:
        return False
    changed = record.changed_before
    return version != known or (changed is not None and read_at is not None and changed > read_at)


def may_be_edited(field_map: FieldMap) -> bool:
    """Return whether anybody's edit of a field is of interest that rows of listings do not show."""
    return not field_map.parent and (field_map.write_key is None or field_map.on_update)


def was_read_otherwise(context: Context, link: Link, side: Side) -> bool:
    """Return whether any field of a side was last read by another mapping than that of now."""
    fields = context.maps[side.connection][link.entity].fields
    return any(
        name in fields and _was_read_otherwise(fields[name], entry)
        for name, entry in side.fields.items()
    )


def _without_an_edit(field_map: FieldMap, entry: SideField | None) -> str:
    """Return why a field differs that need not have been edited; empty: there is no such reason."""
    if entry is None or not entry.map_rev:
        return NEVER_READ
    return REMAPPED if _was_read_otherwise(field_map, entry) else ""


def _is_believed_set(entry: SideField | None) -> bool:
    """Return whether the side is known to show elements of a set."""
    return entry is not None and not entry.unreadable and bool(elements_of(entry.shadow))


def _differs(field_map: FieldMap, entry: SideField | None, value: Raw) -> bool:
    """Return whether a value that can be read is not what the side is known to show."""
    if entry is None:
        return True
    as_shown = entry.shown == value
    reading = field_map.read(value) if entry.unreadable and as_shown else None
    if isinstance(reading, Unreadable):
        # The mapping cannot read it, as before; but it may make less of that than it did.
        return {reading.code, entry.unreadable_code} == {Code.READ_VALUE, Code.READ_IGNORED}
    if _was_read_otherwise(field_map, entry) or (entry.unreadable and not as_shown):
        return True
    return not same_raw(field_map, entry.shadow, value)


def _was_read_otherwise(field_map: FieldMap, entry: SideField | None) -> bool:
    """Return whether the side was never read by the mapping as it is now (rule F19)."""
    return entry is None or entry.map_rev != field_map.revision
