"""Sees of most rows, without loading their links, that a comparison in full would find nothing.

The comparison of `differences` and the question what a link owes (`replan.plans`), asked of
outlines alone. It only ever says yes: whatever is not certain is left to the comparison in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.equality import same_raw
from bridge.core.model.capabilities import Support
from bridge.core.model.state import NEVER
from bridge.core.model.values import Marker, Raw, Unreadable
from bridge.core.planning.planner import why_never_written
from bridge.engine.context import Context
from bridge.ledger.link_outlines import PLAIN, LinkOutline, StoredFields, stored_fields


@dataclass(frozen=True, slots=True)
class PlainRows:
    """The rows of one listing, and what the files say about each of them."""

    connection: str
    entity: str
    sync: str
    entity_map: EntityMap
    compared: Mapping[str, FieldMap]
    """The fields in which a row is compared, each with ..."""
    only_listed: frozenset[str]
    """... those that only full listings show."""
    written: Mapping[str, Sequence[FieldMap]]
    """Member of the sync -> the fields that may be written there."""
    never_made: frozenset[str]
    """Members that get no record of a link where they have none."""

    @classmethod
    def of(cls, context: Context, connection: str, entity: str, *, full: bool) -> PlainRows | None:
        """Return what it takes to look at the rows of a listing; None: no sync mirrors them."""
        sync = context.sync_of(connection, entity)
        if sync is None:
            return None
        entity_map = context.maps[connection][entity]
        only_listed = context.capabilities[connection][entity].only_listed
        listed_alone = {
            name for name, each in entity_map.fields.items() if each.write_key in only_listed
        }
        return cls(
            connection,
            entity,
            sync.name,
            entity_map,
            {
                name: each
                for name, each in entity_map.fields.items()
                if not each.parent and (full or name not in listed_alone)
            },
            frozenset(listed_alone),
            {name: _written(context, name, sync.name) for name in sync.members},
            frozenset(
                name
                for name, member in sync.members.items()
                if Support.NO in (member.create, context.capabilities[name][entity].creates)
            ),
        )

    def need_nothing(self, outline: LinkOutline | None, record: Record) -> bool:
        """Return whether it is certain that a row differs in nothing, and that its link owes none.

        False says nothing.
        """
        if outline is None or (outline.sync, outline.entity) != (self.sync, self.entity):
            return False
        side = outline.sides.get(self.connection)
        if side is None or side.remote_id != record.ref.id:
            return False
        known = stored_fields(side.fields)
        if known is None or not self._shows_the_same(known, record):
            return False
        return self._owes_nothing(outline, known)

    def _shows_the_same(self, known: StoredFields, record: Record) -> bool:
        """Return whether each field shows what it showed last (see `differences`)."""
        values = self.entity_map.extract(record.data)
        for name, field_map in self.compared.items():
            value, entry = values[name], known.get(name)
            if record.unreadable and field_map.write_key in record.unreadable:
                value = Unreadable("")
            if isinstance(value, Marker):
                continue
            if isinstance(value, Unreadable):
                if name not in self.only_listed and _may_be_believed_set(entry):
                    return False
            elif entry is None or not _shows(field_map, entry, value):
                return False
        return True

    def _owes_nothing(self, outline: LinkOutline, known: StoredFields) -> bool:
        """Return whether no member needs a call or a record (see `planner.plan`).

        `known` is what the listing's own side showed last.
        """
        states = stored_fields(outline.state)
        if states is None or not outline.sides.keys() <= self.written.keys():
            return False
        for name, fields in self.written.items():
            side = outline.sides.get(name)
            if side is None:
                if name not in self.never_made:
                    return False
                continue
            shown = known if name == self.connection else stored_fields(side.fields)
            if shown is None or not all(_is_level(each, shown, states) for each in fields):
                return False
        return True


def _written(context: Context, connection: str, sync: str) -> list[FieldMap]:
    """Return the fields that may be written to a connection, whatever their values."""
    rules = context.rules(context.syncs[sync])
    able = context.capabilities[connection][rules.sync.entity]
    probed = context.probes.get(connection, {})
    return [
        field_map
        for field_map in rules.maps[connection].fields.values()
        if why_never_written(connection, field_map, rules, able, probed) is None
    ]


def _shows(field_map: FieldMap, entry: Mapping[str, Any], value: Raw) -> bool:
    """Return whether a value that can be read is certainly what the side is known to show."""
    if "unreadable" in entry or entry.get("map_rev", "") != field_map.revision:
        return False
    if "shadow" not in entry:
        return False  # never read
    shadow = entry["shadow"]
    plain = type(shadow) in PLAIN or (
        type(shadow) is list and all(type(element) in PLAIN for element in shadow)
    )
    return plain and same_raw(field_map, shadow, value)


def _may_be_believed_set(entry: Mapping[str, Any] | None) -> bool:
    """Return whether the side may be known to show elements of a set."""
    if entry is None or "unreadable" in entry:
        return False
    return bool(entry.get("shadow")) and isinstance(entry["shadow"], list | dict)


def _is_level(field_map: FieldMap, known: StoredFields, states: StoredFields) -> bool:
    """Return whether a side has certainly nothing to be told about a field.

    These are the reasons of `planner` for which a field is not due, as far as they need no values.
    """
    name = field_map.name
    state, entry = states.get(name), known.get(name)
    if state is None or not state["rev"] or "candidates" in state:
        return True  # never set, or frozen by an open conflict
    if entry is None or "shadow" not in entry or entry.get("map_rev", "") != field_map.revision:
        return True  # no base to plan from
    rev, decided = state["rev"], entry.get("decided")
    if entry.get("level", NEVER) >= rev and (decided is None or decided.get(name) != rev):
        return True
    if "unreadable" in entry and (not field_map.is_set or entry.get("tried", NEVER) >= rev):
        return True
    return decided is not None and not entry.get("open_to_review") and _holds(decided, states)


def _holds(decided: Mapping[str, int], states: StoredFields) -> bool:
    """Return whether nothing has moved on which a decision was based."""
    revs = {name: states[name]["rev"] if name in states else 0 for name in decided}
    return revs == decided
