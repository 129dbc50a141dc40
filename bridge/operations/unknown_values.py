"""Vendors' values without a reading: which there are, on how many records, and since when."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.core.mapping.unknown_fields import told
from bridge.core.mapping.value_tables import allowed_values
from bridge.core.model.entities import Field
from bridge.core.model.values import shown
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import unread_values
from bridge.ledger.unread_values import UnreadValue
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A value that a system shows and its mapping cannot read."""

    connection: str
    entity: str
    field: str
    value: Any
    """As the system shows it; its shape alone where it may tell of a person."""
    records: int
    """At least so many: only some of a large ledger's are looked at."""
    first_seen: datetime | None
    last_seen: datetime | None
    examples: list[str]
    """A few of the records, as `connection:remote-id`."""
    at: str
    """The line of the mapping that lacks it."""
    allowed: str
    """What it may read as, in words."""
    proposed: str
    """The likeliest of them; empty: none is like it."""
    is_shape: bool = False
    """What stands as the value is its shape alone."""


def unknown(desk: Desk) -> list[UnknownValue]:
    """Return the values without a reading, the most frequent first."""
    return [_listed(desk, each) for each in _unread(desk)]


def _unread(desk: Desk) -> list[UnreadValue]:
    """Return those of fields that the files map."""
    with desk.ledger.read() as tx:
        found = unread_values.unread_values(tx)
    known, maps = desk.context.fields, desk.context.maps
    return [
        each
        for each in found
        if each.field in known.get(each.entity, {}) and each.entity in maps.get(each.connection, {})
    ]


def _listed(desk: Desk, found: UnreadValue) -> UnknownValue:
    field, value = desk.context.fields[found.entity][found.field], said(desk, found)
    return UnknownValue(
        connection=found.connection,
        entity=found.entity,
        field=found.field,
        value=value,
        records=found.records,
        first_seen=found.since,
        last_seen=found.until,
        examples=[f"{found.connection}:{remote_id}" for remote_id in found.examples],
        at=desk.config.places.get((found.connection, found.entity, found.field), ""),
        allowed=allowed_values(field),
        proposed=_likeliest(field, found.value),
        is_shape=value is not found.value,
    )


def said(desk: Desk, found: UnreadValue) -> Any:
    """Return a value as it may be shown: itself, or its shape where it may tell of a person."""
    field = desk.context.fields[found.entity][found.field]
    mapped = desk.context.maps[found.connection][found.entity].fields.get(found.field)
    words = told(field, found.value, tabled=mapped is not None and mapped.tabled)
    return found.value if words == shown(found.value) else words


def seen(desk: Desk, place: tuple[str, str, str], value: str) -> tuple[UnknownValue, Any]:
    """Return a value that was seen as it is listed, and itself.

    Raises UnknownName, with those that were, for any other, and NotPossible for a mere shape.
    """
    here = [each for each in _unread(desk) if (each.connection, each.entity, each.field) == place]
    for each in here:
        if value in (str(each.value), shown(each.value)):
            return _listed(desk, each), each.value
    listed = [_listed(desk, each) for each in here]
    connection, entity, name = place
    for shape in listed:
        if value == shape.value:
            what = f"{value} is no value of {name}, but what may be said of one: give the value"
            raise NotPossible(f"{what} itself, as {' or '.join(shape.examples)} shows it")
    seen = ", ".join(str(each.value) for each in listed) or "none"
    what = f"{connection} shows no {value} in {name} that has no reading"
    raise UnknownName(f"{what}; those of {entity}s: {seen}")


def _likeliest(field: Field, value: Any) -> str:
    words = [choice for choice in field.choices if choice is not None]
    like = difflib.get_close_matches(str(value).casefold(), words, n=1, cutoff=0.5)
    return like[0] if like else ""
