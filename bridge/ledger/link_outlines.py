"""Outlines of links: their JSON as it is stored, to be parsed one by one and not made into values.

To load a whole link costs many times what it takes to see that nothing is to be done about it. Who
looks at very many links reads these first, and loads those of which an outline does not tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
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
    version: str | None
    read_at: datetime | None


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
    for link_id, connection, unusual, *shown in side_rows:
        if link_id not in outlines:
            continue
        sides = outlines[link_id].sides
        if unusual or connection in sides:
            del outlines[link_id]
        else:
            sides[connection] = SideOutline(*shown)
    return outlines


class ParsedOutline(NamedTuple):
    """What an outline holds."""

    state: StoredFields
    sides: dict[str, StoredFields]
    """By connection: what each showed last."""


def parsed(outline: LinkOutline) -> ParsedOutline | None:
    """Return what an outline holds; None where that cannot be told without unpacking it."""
    state = _fields(outline.state)
    sides = {name: _fields(side.fields) for name, side in outline.sides.items()}
    known = {name: fields for name, fields in sides.items() if fields is not None}
    return None if state is None or len(known) < len(sides) else ParsedOutline(state, known)


def _fields(text: str) -> StoredFields | None:
    fields = value_codec.parsed(text)
    return None if fields is None or "$map" in fields else fields


class FamilyMember(NamedTuple):
    """A link, and the one that it belongs to: a message's ticket, or itself."""

    id: str
    head: str
    sync: str


def families(tx: Tx, after: str, limit: int) -> list[FamilyMember]:
    """Return so many links that belong to no other, and all that belong to them, by their ids."""
    ticket = link.alias()
    is_child = exists().where(ticket.c.id == link.c.parent_id)
    heads = select(link.c.id, link.c.id, link.c.sync).where(link.c.id > after, ~is_child)
    level = [FamilyMember(*row) for row in tx.execute(heads.order_by(link.c.id).limit(limit))]
    found = list(level)
    while level:
        head_of = {member.id: member.head for member in level}
        rows = tx.execute(_children(tx.dialect.name), {"ids": list(head_of)})
        level = [FamilyMember(child, head_of[of], sync) for child, of, sync in rows]
        found += level
    return sorted(found)


@cache
def _children(dialect: str) -> Select[Any]:
    rows = select(link.c.id, link.c.parent_id, link.c.sync)
    return rows.where(one_of(dialect, link.c.parent_id), link.c.id != link.c.parent_id)


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
    shown = (side.c.remote_id, stored, side.c.version, side.c.read_at)
    rows = select(side.c.link_id, side.c.connection, unusual, *shown)
    return rows.where(one_of(dialect, side.c.link_id))
