"""An example of a mapping, made of a record: its values made up, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bridge.core.mapping.examples import differences, mapped_with, written
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.entities import Field
from bridge.core.model.values import Canonical, Marker, NotCarried, Unreadable
from bridge.errors import NotPossible
from bridge.workbench.looked_at import looked_at
from bridge.workbench.made_up import made_up


def recorded(
    record: Mapping[str, Any],
    declared: Mapping[str, Any],
    mapped: EntityMap,
    able: EntityCapabilities,
    known: Mapping[str, Field],
) -> dict[str, Any]:
    """Return an example made of a record: what its mapping's `examples` take, and met as it is.

    `declared`: the entity's mapping as its file has it; `mapped`: the same, compiled for the
    connection that the record is of, with its people; `known`: the fields that there are.
    Raises NotPossible for a record that is too large.
    """
    given, making = made_up(record, looked_at(declared, able, known))
    blank = mapped_with(mapped.entity, declared, {}, known, able.doors)
    people = _people(blank.extract(given), mapped.canonical(record), known)
    agents = {raw: making.email(person) for raw, person in people.items()}
    tried = mapped_with(mapped.entity, declared, agents, known, able.doors)
    read = tried.canonical(given)
    values = {name: value for name, value in read.items() if not isinstance(value, Unreadable)}
    sent = {
        key: value
        for key, value in written(tried, values).items()
        if value is not None and not isinstance(value, NotCarried | Marker)
    }
    example: dict[str, Any] = {"given": given}
    parts = {
        "agents": agents,
        "canonical": {name: _as_given(known[name], value) for name, value in values.items()},
        "written": sent,
        "unreadable": [name for name, value in read.items() if isinstance(value, Unreadable)],
    }
    example |= {key: part for key, part in parts.items() if part}
    for each in differences(mapped.entity, declared, example, known, able.doors):
        raise NotPossible(f"the record cannot be an example: {each.what}")
    return example


def _people(
    raw: Mapping[str, Any], meant: Mapping[str, Any], known: Mapping[str, Field]
) -> dict[str | int, str]:
    """Return the agents of a record whom the directory knows: their made-up name and address."""
    found: dict[str | int, str] = {}
    for name, person in meant.items():
        here = raw.get(name)
        if known[name].kind == "agent" and isinstance(person, str) and isinstance(here, str | int):
            found[here] = person
    return found


def _as_given(field: Field, value: Canonical) -> Any:
    """Return a canonical value as an example gives it."""
    if field.kind == "json" and value is not None:
        return json.loads(value)
    return list(value) if isinstance(value, tuple) else value
