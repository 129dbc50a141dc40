"""What the mappings make of one record: our values, and what each other system would be sent.

Nothing is read from the ledger and nothing is written: the answer depends on the files, the record
and what the connections were found to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.case import Rules
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Marker, NotCarried, Raw, Unreadable
from bridge.core.planning.calls import value_to_write
from bridge.core.planning.planner import why_never_written
from bridge.engine.context import Context
from bridge.errors import UnknownName


@dataclass(frozen=True, slots=True)
class FieldReading:
    """What one field of the record reads as."""

    field: str
    at: str
    """Where the mapping says so: `mappings/switch.yaml:12`."""
    shows: Raw | None
    """The vendor's value; of a set its elements."""
    reads: Canonical | None
    why: str = ""
    """Why there is no reading, or of a set none of some elements; empty: all of it has one."""
    code: str = ""


@dataclass(frozen=True, slots=True)
class FieldWriting:
    """What one system would be sent of one field."""

    field: str
    at: str
    key: str
    """Where it is sent; empty: the mapping only reads the field."""
    on_create: Raw | None
    """The value in a new record; None beside `create_why`: it is left out of one."""
    on_update: Raw | None
    create_why: str = ""
    update_why: str = ""
    code: str = ""
    """The outcome code of what is not carried by an update."""


@dataclass(frozen=True, slots=True)
class RecordPreview:
    """One record as the mappings see it."""

    connection: str
    entity: str
    sync: str
    """The sync that mirrors such records of this connection; empty: none does."""
    in_scope: bool
    """Whether the sync's member takes the record (its `only`)."""
    readings: list[FieldReading]
    writings: Mapping[str, list[FieldWriting]]
    """By connection: the other members of the sync."""


Places = Mapping[tuple[str, str, str], str]
"""Connection, entity and field -> where its mapping stands."""


def preview(
    context: Context, places: Places, connection: str, entity: str, record: Mapping[str, Any]
) -> RecordPreview:
    """Return what the mappings make of a record of this connection, as its API shows it.

    Raises UnknownName for a connection, or an entity that the connection's mapping lacks.
    """
    entity_map = mapping_of(context, connection, entity)
    values = entity_map.extract(record)
    readings = [
        _reading(field_map, values[name], places.get((connection, entity, name), ""))
        for name, field_map in entity_map.fields.items()
    ]
    sync = next(
        (
            each
            for each in context.syncs.values()
            if each.entity == entity and connection in each.members
        ),
        None,
    )
    if sync is None:
        return RecordPreview(connection, entity, "", False, readings, {})
    only = sync.members[connection].only
    known = {each.field: each.reads for each in readings if not each.why or each.reads}
    return RecordPreview(
        connection,
        entity,
        sync.name,
        only is None or only(record),
        readings,
        {
            name: _writings(context, places, sync, name, connection, known)
            for name in sync.members
            if name != connection
        },
    )


def mapping_of(context: Context, connection: str, entity: str) -> EntityMap:
    """Return a connection's mapping of an entity. Raises UnknownName with what there is."""
    if connection not in context.maps:
        raise UnknownName(f"no connection {connection}; allowed: {', '.join(context.maps)}")
    by_entity = context.maps[connection]
    if entity not in by_entity:
        allowed = ", ".join(by_entity)
        raise UnknownName(f"the mapping of {connection} has no {entity}; allowed: {allowed}")
    return by_entity[entity]


def _reading(field_map: FieldMap, raw: Raw | Marker | Unreadable, at: str) -> FieldReading:
    name = field_map.name
    if isinstance(raw, Marker):
        return FieldReading(name, at, None, None, "the record does not show it", Code.READ_ABSENT)
    if isinstance(raw, Unreadable):
        return FieldReading(name, at, None, None, raw.why, raw.code)
    if not field_map.is_set:
        read = field_map.read(raw)
        if isinstance(read, Unreadable):
            return FieldReading(name, at, raw, None, read.why, read.code)
        return FieldReading(name, at, raw, read)
    elements = [field_map.read(element) for element in raw or ()]
    lost = [element for element in elements if isinstance(element, Unreadable)]
    kept = sorted({str(each) for each in elements if not isinstance(each, Unreadable)})
    if not lost:
        return FieldReading(name, at, raw, tuple(kept))
    return FieldReading(name, at, raw, tuple(kept) or None, lost[0].why, lost[0].code)


def _writings(
    context: Context,
    places: Places,
    sync: Sync,
    connection: str,
    source: str,
    known: Mapping[str, Canonical],
) -> list[FieldWriting]:
    """Return what a member would be sent of what the record says, a field after the other."""
    rules = context.rules(sync)
    able = context.capabilities[connection][sync.entity]
    probed = context.probes.get(connection, {})
    found: list[FieldWriting] = []
    for name, field_map in rules.maps[connection].fields.items():
        if name not in known or field_map.parent:
            continue
        at = places.get((connection, sync.entity, name), "")
        raw = _written(field_map, able, known[name])
        never = _why_not_by(rules, source, name) or why_never_written(
            connection, field_map, rules, able, probed
        )
        updated = raw if never is None else never
        made = raw
        if known[name] is None and field_map.create_from is not None:
            made = field_map.create_from(known)
        created = _why_not_created(rules, connection, field_map, able) or made
        found.append(
            FieldWriting(
                field=name,
                at=at,
                key=field_map.write_key or "",
                on_create=None if isinstance(created, NotCarried) else created,
                on_update=None if isinstance(updated, NotCarried) else updated,
                create_why=created.why if isinstance(created, NotCarried) else "",
                update_why=updated.why if isinstance(updated, NotCarried) else "",
                code=updated.code if isinstance(updated, NotCarried) else "",
            )
        )
    return found


def _written(field_map: FieldMap, able: EntityCapabilities, value: Canonical) -> Raw | NotCarried:
    writable = able.writable.get(field_map.write_key or "")
    if not field_map.is_set:
        return (
            field_map.write(value)
            if writable is None
            else value_to_write(field_map, value, writable)
        )
    forms = [field_map.write(element) for element in value or ()]
    kept = [form for form in forms if not isinstance(form, NotCarried)]
    lost = [form for form in forms if isinstance(form, NotCarried)]
    return lost[0] if lost and not kept else kept


def _why_not_by(rules: Rules, source: str, name: str) -> NotCarried | None:
    """Return why an edit of the field on the record's own side does not count; None: it does."""
    policy = rules.policy(name)
    if policy.policy != "owner" or policy.owner == source:
        return None
    why = f"only edits at {policy.owner}, its owner, count"
    return NotCarried(why, Code.SYNC_NOT_SENT)


def _why_not_created(
    rules: Rules, connection: str, field_map: FieldMap, able: EntityCapabilities
) -> NotCarried | None:
    """Return why a new record is made without the field; None: it is made with it."""
    to, writable = rules.policy(field_map.name).to, able.writable.get(field_map.write_key or "")
    if Support.NO in (rules.sync.members[connection].create, able.creates):
        why = f"the bridge makes no {rules.sync.entity} at {connection}"
        return NotCarried(why, Code.SYNC_NOT_SENT)
    if field_map.write_key is None:
        return NotCarried(f"the mapping of {connection} only reads it", Code.MAP_ONLY_READ)
    if to is not None and connection not in to:
        return NotCarried(f"the sync does not send it to {connection}", Code.SYNC_NOT_SENT)
    if not field_map.on_create:
        return NotCarried(
            f"the mapping of {connection} writes it only on update", Code.MAP_ONLY_READ
        )
    if writable is None or not writable.on_create:
        return NotCarried(
            f"{connection} takes no {field_map.write_key} on create", Code.SYSTEM_FIXED
        )
    return None
