"""Reads sides anew, from the ledger alone, by a mapping that has changed since (rule F19).

Shadows are raw, so what a record showed last can be read by another table, and nobody is asked.
What the new reading means is decided as at the next read of the same value: the side that the state
comes from moves it, at any other the state stands and the plan brings the side up. Afterwards the
shadow is a base again, so that what a human changes next is an edit and no first contact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from bridge.core.mapping.fieldmap import FieldMap, same_declaration
from bridge.core.merge.case import Observation, Rules
from bridge.core.merge.making import translate_state
from bridge.core.merge.observations import (
    mark_level_if_in_step,
    read_by_new_mapping,
    readable_cases,
)
from bridge.core.model.state import Link, Note, Side, SideField
from bridge.core.model.values import NO_BASE, Marker, Raw

NEVER_READ: Final = SideField()

KnownReadings = Mapping[str, Mapping[str, Collection[str]]]
"""Connection -> field -> revisions that took the raw value from where it is taken now.

What was taken by any other revision is another value of the record's, or nobody knows which.
"""


FreshValues = Mapping[str, Mapping[str, Raw]]
"""Connection -> field -> raw value, read of late, of fields that were never read as now."""


def reread(
    link: Link, rules: Rules, known: KnownReadings, fresh: FreshValues | None = None
) -> list[Note]:
    """Read all that can be read anew of a link's sides; return the lines for its timeline.

    A field that could not be read for another reason than its mapping, and one of an open attempt,
    waits for a read of the record. `fresh` has what the stored values cannot tell.
    """
    due = {
        connection: names
        for connection, side in link.live().items()
        if (names := outdated(side, rules, known) | _lacking(side, rules, (fresh or {})))
    }
    notes: list[Note] = []
    # A state moves before the others are compared with it.
    for connection in sorted(due, key=lambda name: not _is_origin(link, name, due[name])):
        notes += _reread_side(link, link.sides[connection], due[connection], rules)
    return notes


def outdated(side: Side, rules: Rules, known: KnownReadings) -> dict[str, Raw]:
    """Return the fields of a side that can be read anew, each with what was shown last."""
    entity_map, revisions = rules.maps.get(side.connection), known.get(side.connection)
    if entity_map is None or not revisions or side.read_at is None or not is_followed(side):
        return {}
    found: dict[str, Raw] = {}
    for name, entry in side.fields.items():
        field_map = entity_map.fields.get(name)
        if field_map is None or field_map.parent or entry.map_rev == field_map.revision:
            continue
        if side.attempt is not None and name in side.attempt.sent:
            continue
        raw = shown_last(entry)
        if not isinstance(raw, Marker) and _is_from_there(entry, field_map, revisions.get(name)):
            found[name] = raw
    return found


def _lacking(side: Side, rules: Rules, fresh: FreshValues) -> dict[str, Raw]:
    """Return the fresh values of a side that it was never read with by the mapping of now."""
    entity_map, values = rules.maps.get(side.connection), fresh.get(side.connection, {})
    if entity_map is None or not values or side.read_at is None or not is_followed(side):
        return {}
    mine = side.attempt.sent if side.attempt is not None else {}
    return {
        name: raw
        for name, raw in values.items()
        if (field_map := entity_map.fields.get(name)) is not None
        and name not in mine
        and side.fields.get(name, NEVER_READ).map_rev != field_map.revision
    }


def is_followed(side: Side) -> bool:
    """Return whether what a side shows has a part in its link at present."""
    return side.in_scope and not side.detached and side.missing_since is None


def shown_last(entry: SideField) -> Raw | Marker:
    """Return what the record showed when it was read last; `NO_BASE`: it was not shown then."""
    if not entry.unreadable:
        return entry.shadow
    return NO_BASE if entry.shown is None else entry.shown


def _is_from_there(
    entry: SideField, field_map: FieldMap, revisions: Collection[str] | None
) -> bool:
    if revisions is None:
        return False
    if entry.unreadable:
        return True  # it was shown to the mapping that was in force until now
    taken = (*revisions, field_map.revision)
    return any(same_declaration(entry.map_rev, each) for each in taken)


def _is_origin(link: Link, connection: str, names: Collection[str]) -> bool:
    states = [link.state[name] for name in names if name in link.state]
    return any(state.comes_from(connection) for state in states)


def _reread_side(link: Link, side: Side, shown: Mapping[str, Raw], rules: Rules) -> list[Note]:
    notes: list[Note] = []
    if side.read_at is None:
        return notes
    obs = Observation(side.connection, shown, side.read_at, version=side.version)
    for case, raw in readable_cases(link, side, obs, rules, notes):
        read_by_new_mapping(case, raw)
        translate_state(case, raw)
        mark_level_if_in_step(case, raw)
    return notes
