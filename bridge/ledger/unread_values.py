"""Values without a reading: what sides show that no mapping knows, and on how many records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, text

from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Ref
from bridge.ledger import link_codec
from bridge.ledger.database import Tx
from bridge.ledger.tables import side

MAX_SIDES: Final = 1_000
"""So many sides are looked at; a mapping that lacks a common word is on more than that."""

MAX_EXAMPLES: Final = 3


@dataclass(slots=True)
class UnreadValue:
    """One value of one connection's field."""

    connection: str
    entity: str
    field: str
    value: Any
    """As the side shows it; None where it is known only that it cannot be read."""
    records: int
    since: datetime | None
    """When the first read that showed it was sent."""
    until: datetime | None = None
    """When the last one was."""
    examples: list[str] = dataclass_field(default_factory=list)
    """Ids of a few of the records."""


def waiting(tx: Tx, limit: int) -> Iterator[tuple[Ref, Mapping[str, str]]]:
    """Yield records that show such a value, with the mapping's revision by which each was read.

    That is by field. At most `limit` records.
    """
    for row in tx.execute(_marked(limit)):
        entries = link_codec.to_side_fields(row.fields).items()
        unread = {name: e.map_rev for name, e in entries if e.unreadable_code == Code.READ_VALUE}
        yield Ref(row.connection, row.entity, row.remote_id), unread


def _marked(limit: int) -> Select[Any]:
    return (
        select(side.c.connection, side.c.entity, side.c.remote_id, side.c.fields)
        .where(text("side.unread = true"), side.c.tombstone.is_(False), side.c.in_scope)
        .limit(limit)
    )


def unread_values(tx: Tx) -> list[UnreadValue]:
    """Return every value that has no reading, the most frequent first."""
    found: dict[tuple[str, str, str, str], UnreadValue] = {}
    for row in tx.execute(_marked(MAX_SIDES)):
        for name, entry in link_codec.to_side_fields(row.fields).items():
            if entry.unreadable_code != Code.READ_VALUE:
                continue
            key = (row.connection, row.entity, name, repr(entry.shown))
            new = UnreadValue(row.connection, row.entity, name, entry.shown, 0, entry.seen_at)
            value = found.setdefault(key, new)
            value.records += 1
            known = [at for at in (value.since, value.until, entry.seen_at) if at is not None]
            value.since, value.until = min(known, default=None), max(known, default=None)
            if len(value.examples) < MAX_EXAMPLES:
                value.examples.append(row.remote_id)
    return sorted(found.values(), key=lambda value: (-value.records, value.connection, value.field))
