"""Sees of most rows, without loading their links, that a comparison in full would find nothing.

The comparison of `differences`, made with outlines alone. It only ever says yes: whatever is not
certain is left to the comparison in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.connectors.contract import Record
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.equality import same_raw
from bridge.core.model.values import Marker, Raw, Unreadable
from bridge.engine.context import Context
from bridge.flow.differences import has_moved, may_be_edited
from bridge.ledger.link_outlines import PLAIN, LinkOutline, SideOutline, StoredFields, parsed
from bridge.runs.plain_links import PlainLinks


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
    links: PlainLinks

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
            PlainLinks.of(context, sync),
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
        known = parsed(outline)
        if known is None or not self._shows_the_same(known.sides[self.connection], side, record):
            return False
        return self.links.owe_nothing(known)

    def _shows_the_same(self, known: StoredFields, side: SideOutline, record: Record) -> bool:
        """Return whether each field shows what it showed last (see `differences`)."""
        values = self.entity_map.extract(record.data)
        moved = has_moved(record, self.entity_map.version(record.data), side.version, side.read_at)
        for name, field_map in self.compared.items():
            value, entry = values[name], known.get(name)
            if record.unreadable and field_map.write_key in record.unreadable:
                value = Unreadable("")
            if isinstance(value, Marker):
                if moved and may_be_edited(field_map):
                    return False
                continue
            if isinstance(value, Unreadable):
                if name not in self.only_listed and _may_be_believed_set(entry):
                    return False
            elif entry is None or not _shows(field_map, entry, value):
                return False
        return True


def _shows(field_map: FieldMap, entry: Mapping[str, Any], value: Raw) -> bool:
    """Return whether a value that can be read is certainly what the side is known to show."""
    if "unreadable" in entry or entry.get("map_rev", "") != field_map.revision:
        return False
    if "shadow" not in entry:
        return False  # never read
    shadow = entry["shadow"]
    if value == shadow and (type(value) is str or value is None):  # as nearly all are
        return True
    plain = type(shadow) in PLAIN or (
        type(shadow) is list and all(type(element) in PLAIN for element in shadow)
    )
    return plain and same_raw(field_map, shadow, value)


def _may_be_believed_set(entry: Mapping[str, Any] | None) -> bool:
    """Return whether the side may be known to show elements of a set."""
    if entry is None or "unreadable" in entry:
        return False
    return bool(entry.get("shadow")) and isinstance(entry["shadow"], list | dict)
