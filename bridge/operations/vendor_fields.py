"""Fields that vendors show and no file knows: which there are, and what would mirror them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bridge.config import fields_file, yaml_text
from bridge.core.mapping.paths import PLAIN
from bridge.core.mapping.unknown_fields import FIELD, OTHERS, VALUE, KnownParts
from bridge.core.mapping.value_shapes import field_kind
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import unknown_parts
from bridge.ledger.database import Tx
from bridge.ledger.unknown_parts import UnknownPart
from bridge.operations.desk import Desk

FIELDS_FILE: Final = "mappings/fields.yaml"
MAX_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that a system shows, and that neither its document nor the mapping names."""

    connection: str
    entity: str
    field: str
    """Where it stands in the records: `custom_fields.region`."""
    seen: int
    """Readings of records that showed it."""
    first_seen: datetime
    last_seen: datetime
    shape: Mapping[str, Any]
    """Of its values, which are not kept: `kinds`, `longest`, and `words` of a closed list."""
    proposed: Mapping[str, str]
    """File -> the line that would mirror it; empty: it can be mapped by hand alone."""


@dataclass(frozen=True, slots=True)
class IgnoredValue:
    """A value without a reading that a connection's `unknown_values` ignores."""

    connection: str
    entity: str
    field: str
    value: str
    """What may be said of it: the word, or its shape."""
    seen: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """What would mirror an unknown field."""

    name: str
    """Our field."""
    declared: Mapping[str, Any] | None
    """Its declaration; None: there is such a field already."""
    row: str | Mapping[str, str]
    """What its mapping reads, and writes where it can."""
    also_sends: str
    """The name that the mapping has to list; empty: it stands behind a door."""


def unknown_fields(desk: Desk) -> list[UnknownField]:
    """Return the fields that no file knows, the most frequent first; left out: what an admin has.

    One named `*` stands for all that are too many, or whose names may tell of somebody.
    """
    return [_listed(desk, part) for part in _parts(desk, FIELD) if not _is_known(desk, part)]


def new_fields(tx: Tx, desk: Desk, since: datetime) -> dict[str, list[UnknownPart]]:
    """Return by connection the fields that were first seen since then, the newest first."""
    found: dict[str, list[UnknownPart]] = {}
    for part in _parts_in(tx, desk, FIELD):
        if part.first_seen >= since and not _is_known(desk, part):
            found.setdefault(part.connection, []).append(part)
    return {
        name: sorted(parts, key=lambda part: part.first_seen, reverse=True)
        for name, parts in found.items()
    }


def ignored_values(desk: Desk) -> list[IgnoredValue]:
    """Return the values that a policy ignores, the most frequent first."""
    return [
        IgnoredValue(
            part.connection,
            part.entity,
            part.field,
            part.value,
            part.seen,
            part.first_seen,
            part.last_seen,
        )
        for part in _parts(desk, VALUE)
    ]


def dismiss(desk: Desk, place: tuple[str, str, str]) -> None:
    """Leave a field, or the ignored values of one, out of the list from now on.

    `place`: connection, entity and field. Raises UnknownName for what is not listed.
    """
    connection, entity, field = place
    desk.connection(connection)
    with desk.ledger.transaction() as tx:
        left = unknown_parts.dismiss(tx, connection, entity, field, desk.now())
        if left:
            desk.write_down(tx, "dismissed", f"{connection} {field}", {"entity": entity})
    if not left:
        raise UnknownName(_no_such(desk, place))


def proposal(desk: Desk, place: tuple[str, str, str], name: str, kind: str) -> FieldProposal:
    """Return what would mirror a field that was seen.

    `name` and `kind`: of our field; empty: as is likely. Raises UnknownName for what is not listed
    and for a name that no field can have, NotPossible for what no mapping can name.
    """
    found = next((part for part in _parts(desk, FIELD) if _place(part) == place), None)
    if found is None or found.field.rpartition(".")[2] == OTHERS:
        raise UnknownName(_no_such(desk, place))
    made = _proposed(desk, found, name, kind)
    if made is None:
        raise NotPossible(f"{found.field} is no plain path: it has to be mapped by hand")
    return made


def _listed(desk: Desk, part: UnknownPart) -> UnknownField:
    proposed = dict[str, str]()
    try:
        made = _proposed(desk, part, "", "")
    except UnknownName:
        made = None  # its names are taken: a human has to find one
    if made is not None:
        mapping = mapping_file(desk, part.connection)
        if made.declared is not None:
            line = f"{part.entity}: {{{made.name}: {yaml_text.flow(made.declared)}}}"
            proposed[FIELDS_FILE] = line
        also = f"also_sends: [{made.also_sends}], " if made.also_sends else ""
        row = f"fields: {{{made.name}: {yaml_text.flow(made.row)}}}"
        proposed[mapping] = f"{part.entity}: {{{also}{row}}}"
    return UnknownField(
        connection=part.connection,
        entity=part.entity,
        field=part.field,
        seen=part.seen,
        first_seen=part.first_seen,
        last_seen=part.last_seen,
        shape=part.shape,
        proposed=proposed,
    )


def mapping_file(desk: Desk, connection: str) -> str:
    """Return the file of a connection's mapping: `mappings/switch.yaml`."""
    return f"mappings/{desk.config.connections[connection].mapping}.yaml"


def _proposed(desk: Desk, part: UnknownPart, name: str, kind: str) -> FieldProposal | None:
    if not PLAIN.fullmatch(part.field):
        return None
    door, _, last = part.field.rpartition(".")
    mapped = desk.context.maps[part.connection][part.entity].fields
    known = desk.context.fields[part.entity]
    own = name or _own_name(last, part.connection, known, mapped)
    why = "" if own in known else fields_file.why_no_name(own)
    if why or own in mapped:
        there = f"the mapping of {part.connection} has a field {own} already"
        raise UnknownName(f"{own}: {why}" if why else there)
    meant = kind or field_kind(part.shape.get("kinds", ()))
    able = desk.context.capabilities[part.connection][part.entity]
    writes = bool(door) and able.door_of(part.field) is not None
    return FieldProposal(
        name=own,
        declared=None if own in known else {"kind": meant},
        row=part.field if writes else {"read": part.field},
        also_sends="" if door else part.field,
    )


def _own_name(
    last: str, connection: str, known: Mapping[str, Any], mapped: Mapping[str, Any]
) -> str:
    """Return a name for our field: the vendor's, in our spelling, unless it is taken."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower()
    name = re.sub(r"[^a-z0-9_]+", "_", words).strip("_")[:MAX_NAME] or "field"
    is_own = name in known and name not in mapped and bool(known[name].declared)
    if is_own or (name not in known and not fields_file.why_no_name(name)):
        return name
    return f"{connection.replace('-', '_')}_{name}"[:MAX_NAME]


def _parts(desk: Desk, kind: str) -> list[UnknownPart]:
    """Return what is noted of connections and entities that the files map, and nobody dismissed."""
    with desk.ledger.read() as tx:
        return _parts_in(tx, desk, kind)


def _parts_in(tx: Tx, desk: Desk, kind: str) -> list[UnknownPart]:
    maps = desk.context.maps
    return [
        part
        for part in unknown_parts.all_parts(tx)
        if part.kind == kind
        and part.dismissed_at is None
        and part.entity in maps.get(part.connection, {})
    ]


def _is_known(desk: Desk, part: UnknownPart) -> bool:
    """Return whether the files know a field by now."""
    able = desk.context.capabilities[part.connection][part.entity]
    mapped = desk.context.maps[part.connection][part.entity]
    known = KnownParts.of(able, mapped, desk.context.fields[part.entity])
    door, _, name = part.field.partition(".")
    if not name:
        return door in known.top
    return any(door == place and name in names for place, names in known.behind)


def _place(part: UnknownPart) -> tuple[str, str, str]:
    return part.connection, part.entity, part.field


def _no_such(desk: Desk, place: tuple[str, str, str]) -> str:
    connection, entity, field = place
    parts = (*_parts(desk, FIELD), *_parts(desk, VALUE))
    of_place = [part.field for part in parts if _place(part)[:2] == (connection, entity)]
    there = ", ".join(sorted(set(of_place))) or "none"
    return f"{connection} shows no {field} of {entity}s that no file knows; those listed: {there}"
