"""Vendors' values without a reading: which there are, on how many records, and since when."""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.config.value_row_edit import with_reading
from bridge.core.mapping.given_values import NOTHING
from bridge.core.mapping.transforms import AGENT
from bridge.core.mapping.unknown_fields import told
from bridge.core.mapping.value_tables import allowed_values
from bridge.core.model.entities import Field
from bridge.core.model.values import Unreadable, same_json, shown
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import unread_values
from bridge.ledger.unread_values import UnreadValue
from bridge.operations import mapping_edits, vendor_fields
from bridge.operations.desk import Desk

Place = tuple[str, str, str]
"""Connection, entity and field."""


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
    given: str
    """The value as `accept` takes it: itself, or as JSON where that alone says which is meant.

    Empty: what stands as the value is its shape alone.
    """
    by_hand: str = ""
    """Why no row can be added for it, and so what to do; empty: one can."""


def unknown(desk: Desk) -> list[UnknownValue]:
    """Return the values without a reading, the most frequent first."""
    return _all_listed(desk, _unread(desk))


def _all_listed(desk: Desk, found: Sequence[UnreadValue]) -> list[UnknownValue]:
    here = defaultdict[Place, list[Any]](list)
    by_hand: dict[tuple[Place, bool], str] = {}
    for each in found:
        here[_place(each)].append(each.value)
        kind = (_place(each), isinstance(each.value, list | dict))
        if kind not in by_hand:  # any other single value of the field would fare alike
            by_hand[kind] = _why_by_hand(desk, each)
    return [
        _listed(
            desk,
            each,
            here[_place(each)],
            by_hand[_place(each), isinstance(each.value, list | dict)],
        )
        for each in found
    ]


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


def _place(found: UnreadValue) -> Place:
    return found.connection, found.entity, found.field


def _listed(desk: Desk, found: UnreadValue, here: Sequence[Any], by_hand: str) -> UnknownValue:
    """Return a value as it is listed; `here`: all that wait at its place, itself included."""
    field, value = desk.context.fields[found.entity][found.field], said(desk, found)
    given = _given(found.value, here) if value is found.value else ""
    if _is_lost(desk, found):
        value, given, by_hand = "something", "", "what it shows is not kept: look at one of them"
    lines = desk.config.lines
    return UnknownValue(
        connection=found.connection,
        entity=found.entity,
        field=found.field,
        value=value,
        records=found.records,
        first_seen=found.since,
        last_seen=found.until,
        examples=[f"{found.connection}:{remote_id}" for remote_id in found.examples],
        at=lines.of_reading(found.connection, found.entity, found.field, found.value),
        allowed=allowed_values(field),
        proposed=_likeliest(field, found.value),
        given=given,
        by_hand=by_hand,
    )


def _is_lost(desk: Desk, found: UnreadValue) -> bool:
    """Return whether None stands for a value that the ledger does not have, and not for null."""
    mapped = desk.context.maps[found.connection][found.entity].fields.get(found.field)
    reads_null = mapped is None or not isinstance(mapped.read(None), Unreadable)
    return found.value is None and reads_null


def _why_by_hand(desk: Desk, found: UnreadValue) -> str:
    """Return what to do about a value for which the mapping can have no row; empty: it can."""
    field = desk.context.fields[found.entity][found.field]
    if field.kind == AGENT:
        return "nobody in mappings/agents.yaml: `bridge agents` lists all such"
    file = vendor_fields.mapping_file(desk, found.connection)
    text, where = mapping_edits.in_force(desk, file), (found.entity, "fields", found.field)
    try:
        with_reading(text, file, where, found.value, None, field.choices)
    except NotPossible as error:
        return str(error)
    return ""


def said(desk: Desk, found: UnreadValue) -> Any:
    """Return a value as it may be shown: itself, or its shape where it may tell of a person."""
    field = desk.context.fields[found.entity][found.field]
    mapped = desk.context.maps[found.connection][found.entity].fields.get(found.field)
    words = told(field, found.value, tabled=mapped is not None and mapped.tabled)
    return found.value if words == shown(found.value) else words


def seen(desk: Desk, place: tuple[str, str, str], value: str) -> tuple[UnknownValue, Any]:
    """Return a value that was seen as it is listed, and itself.

    It is given as itself, or as JSON. Raises UnknownName, with those that were seen, for any other,
    and NotPossible for a mere shape.
    """
    here = [each for each in _unread(desk) if _place(each) == place]
    values, listed = [each.value for each in here], _all_listed(desk, here)
    at = _meant(value, values)
    if at is not None:
        return listed[at], values[at]
    connection, entity, name = place
    for row in listed:
        if value == row.value and not row.given:
            what = f"{value} is no value of {name}, but what may be said of one: give the value"
            raise NotPossible(f"{what} itself, as {' or '.join(row.examples)} shows it")
    seen = ", ".join(row.given or str(row.value) for row in listed) or "none"
    what = f"no {name} {value} of {connection} waits for a row in its mapping"
    raise UnknownName(f"{what}; what waits of {entity}s: {seen}")


def _given(value: Any, here: Sequence[Any]) -> str:
    """Return how a value is given to `accept`, so that no other of its place is meant."""
    if isinstance(value, str) and value.isprintable():
        at = _meant(value, here)
        if at is not None and same_json(here[at], value):
            return value
    return json.dumps(value)


def _meant(text: str, here: Sequence[Any]) -> int | None:
    """Return which of the values at a place a text means: as JSON first, for that is exact."""
    try:
        parsed = [json.loads(text)]
    except (ValueError, RecursionError):
        parsed = []
    for number, value in enumerate(here):
        if any(same_json(value, each) for each in parsed):
            return number
    return next((number for number, value in enumerate(here) if value == text), None)


def _likeliest(field: Field, value: Any) -> str:
    if value is None:
        return NOTHING
    words = [choice for choice in field.choices if choice is not None]
    like = difflib.get_close_matches(str(value).casefold(), words, n=1, cutoff=0.5)
    return like[0] if like else ""
