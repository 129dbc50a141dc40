"""Outlines of links: their JSON as it is stored, to be parsed one by one and not made into values.

To load a whole link costs many times what it takes to see that nothing is to be done about it. Who
looks at very many links reads these first, and loads those of which an outline does not tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, Text, exists, not_, or_, select, type_coerce

from bridge.ledger import value_codec
from bridge.ledger.database import Tx, one_of
from bridge.ledger.tables import attempt, link, side

PLAIN: Final = frozenset({str, int, bool, type(None)})
"""Types of parsed values that stand for themselves. Others may be tags of `value_codec`."""

StoredFields = Mapping[str, Mapping[str, Any]]
"""By canonical field, under the keys of `link_codec`."""


class SideOutline(NamedTuple):
    """A record of a link, with what it showed last, as text."""

    remote_id: str
    fields: str


class LinkOutline(NamedTuple):
    """A link, with its agreed state as text. Tuples for speed: a listing has many."""

    sync: str
    entity: str
    state: str
    sides: dict[str, SideOutline]
    """By connection."""


def of(tx: Tx, ids: Collection[str]) -> dict[str, LinkOutline]:
    """Return the outlines of these links, in two queries, but for those that are not plain.

    Plain is a link that is not paused and of which every side is there: read, in scope, not taken
    out, and without an open attempt.
    """
    these = {"ids": list(ids)}
    outlines: dict[str, LinkOutline] = {}
    for link_id, sync, entity, state, paused in tx.execute(_links(tx.dialect.name), these).all():
        if not paused:
            outlines[link_id] = LinkOutline(sync, entity, state, {})
    side_rows = tx.execute(_sides(tx.dialect.name), these).all()
    for link_id, connection, remote_id, fields, unusual in side_rows:
        if link_id not in outlines:
            continue
        sides = outlines[link_id].sides
        if unusual or connection in sides:
            del outlines[link_id]
        else:
            sides[connection] = SideOutline(remote_id, fields)
    return outlines


def stored_fields(text: str) -> StoredFields | None:
    """Return the fields of an outline; None where they cannot be told without unpacking them."""
    fields = value_codec.parsed(text)
    return None if fields is None or "$map" in fields else fields


@cache
def _links(dialect: str) -> Select[Any]:
    stored = type_coerce(link.c.state, Text)
    rows = select(link.c.id, link.c.sync, link.c.entity, stored, link.c.paused)
    return rows.where(one_of(dialect, link.c.id))


@cache
def _sides(dialect: str) -> Select[Any]:
    unusual = or_(
        side.c.tombstone,
        side.c.missing_since.is_not(None),
        not_(side.c.in_scope),
        side.c.detached,
        exists().where(attempt.c.side_id == side.c.id, attempt.c.closed_at.is_(None)),
    )
    stored = type_coerce(side.c.fields, Text)
    rows = select(side.c.link_id, side.c.connection, side.c.remote_id, stored, unusual)
    return rows.where(one_of(dialect, side.c.link_id))
