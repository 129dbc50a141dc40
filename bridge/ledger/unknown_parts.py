"""What vendors show that no file knows, as it was noted: how often, since when, and in what shape.

No value stands here that may tell of a person; see core/mapping/value_shapes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, delete, select, update

from bridge.core.mapping.unknown_fields import (
    FIELD,
    MAX_NAMES,
    OTHERS,
    Place,
    Sighting,
    UnknownFields,
)
from bridge.core.mapping.value_shapes import joined
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import unknown_part

_KEY: Final = ("connection", "entity", "kind", "field", "value")


@dataclass(frozen=True, slots=True)
class UnknownPart:
    """A field that no file knows, or a value that is ignored."""

    connection: str
    entity: str
    kind: str
    """FIELD or VALUE."""
    field: str
    """Where it stands in the vendor's record; of a value, our field."""
    value: str
    """What may be said of the value; empty for a field."""
    seen: int
    """Readings of records that showed it."""
    first_seen: datetime
    last_seen: datetime
    shape: Mapping[str, Any]
    """Of the values of a field: `kinds`, `longest`, `words`, `open`."""
    dismissed_at: datetime | None
    """An admin has said that it is to be left out."""


def store_due(tx: Tx, unknown: UnknownFields, now: datetime) -> None:
    """Store what a process has noted, if it is time to."""
    if unknown.due(now):
        store(tx, unknown.take(now))


def store(tx: Tx, noted: Iterable[tuple[Place, Sighting]]) -> None:
    """Add what a process has noted to what is known.

    Of one connection at most MAX_NAMES are kept, besides those that an admin has left out; what
    comes beyond is counted under OTHERS.
    """
    by_connection: dict[str, list[tuple[Place, Sighting]]] = {}
    for place, sighting in noted:
        by_connection.setdefault(place[0], []).append((place, sighting))
    for connection, of_one in sorted(by_connection.items()):
        known = {_place(part): part for part in of_connection(tx, connection)}
        room = MAX_NAMES - sum(part.dismissed_at is None for part in known.values())
        # In one order, so that two processes never wait for each other.
        for place, sighting in sorted(of_one, key=lambda each: each[0]):
            part = known.get(place)
            others = (*place[:3], OTHERS, "")
            kept = place if part is not None or room > 0 else others
            room -= part is None
            _add(tx, kept, sighting, part.shape if part is not None else {})


def _add(tx: Tx, place: Place, sighting: Sighting, known: Mapping[str, Any]) -> None:
    shape = sighting.shape.as_data() if place[2] == FIELD and place[3] != OTHERS else {}
    statement = insert(tx, unknown_part).values(
        **dict(zip(_KEY, place, strict=True)),
        seen=sighting.count,
        first_seen=sighting.first_at,
        last_seen=sighting.last_at,
        shape=joined(known, shape) if known and shape else shape,
    )
    new, row = statement.excluded, unknown_part.c
    latest = case((new.last_seen > row.last_seen, new.last_seen), else_=row.last_seen)
    counted = {"seen": row.seen + new.seen, "last_seen": latest, "shape": new.shape}
    tx.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=counted))


def of_connection(tx: Tx, connection: str) -> list[UnknownPart]:
    """Return what is known of one connection."""
    return _found(tx, select(unknown_part).where(unknown_part.c.connection == connection))


def all_parts(tx: Tx) -> list[UnknownPart]:
    """Return what is known of all connections, the most frequent first."""
    row = unknown_part.c
    return _found(tx, select(unknown_part).order_by(row.seen.desc(), row.connection, row.field))


def dismiss(tx: Tx, connection: str, entity: str, field: str, now: datetime) -> int:
    """Leave a field, or the ignored values of one, out of what is listed; return how many rows."""
    row = unknown_part.c
    of = update(unknown_part).where(
        row.connection == connection, row.entity == entity, row.field == field
    )
    return tx.execute(of.where(row.dismissed_at.is_(None)).values(dismissed_at=now)).rowcount


def prune(tx: Tx, before: datetime) -> None:
    """Forget what was not seen since a time; what was dismissed too: it would be news again."""
    tx.execute(delete(unknown_part).where(unknown_part.c.last_seen < before))


def _place(part: UnknownPart) -> Place:
    return part.connection, part.entity, part.kind, part.field, part.value


def _found(tx: Tx, query: Any) -> list[UnknownPart]:
    return [UnknownPart(**row) for row in tx.execute(query).mappings()]
