"""Doors: what a connection can do once its mapping has named what is behind the doors."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.capabilities import EntityCapabilities


def opened(
    able: Mapping[str, EntityCapabilities], maps: Mapping[str, EntityMap]
) -> dict[str, EntityCapabilities]:
    """Return what a connection can do, by entity, with each name that its mapping writes.

    So nobody else has to know that there are doors: a name behind one is a write key like others.
    What the mapping says that the system sends besides, can be read like others.
    """
    return {
        entity: can.with_names(maps[entity].also_sends).through_doors(write_keys(maps[entity]))
        if entity in maps
        else can
        for entity, can in able.items()
    }


def write_keys(entity_map: EntityMap) -> list[str]:
    """Return the keys that a mapping writes, in its order."""
    keys = (field_map.write_key for field_map in entity_map.fields.values())
    return [key for key in keys if key is not None]
