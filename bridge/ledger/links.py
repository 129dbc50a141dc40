"""Links with their sides, and the lease that lets one task at a time change a link."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from bridge.core.model.state import Link, Side
from bridge.core.model.values import Ref
from bridge.ledger import link_codec, link_leases, value_codec
from bridge.ledger.columns import Json, as_text
from bridge.ledger.database import Tx, insert_for, one_of
from bridge.ledger.link_leases import HeldLink, Known
from bridge.ledger.tables import attempt, create_intent, link, side

LOOKED_AT: Final = 5_000
"""Records whose ids begin alike, of which those of one connection are wanted."""
_OF_LINK_ID: Final = re.compile("[0-9a-z]+")
_LAST_LETTER: Final = "z"
_LONGEST_LINK_ID: Final = 64
_LAST_CHARACTER: Final = "\U0010ffff"


def create(tx: Tx, new: Link, now: datetime) -> bool:
    """Store a new link with its sides; False, storing nothing, if a record has a link already."""
    tx.execute(
        _CREATE,
        {
            "id": new.id,
            "sync": new.sync,
            "entity": new.entity,
            "state": link_codec.state(new.state),
            "paused": new.paused,
            "parent_id": new.parent_id,
            "created_at": now,
            "updated_at": now,
        },
    )
    stored = [_insert_side(tx, new.id, new.entity, item, now) for item in new.sides.values()]
    if not all(stored):
        tx.execute(link.delete().where(link.c.id == new.id))
        return False
    return True


def load(tx: Tx, ids: Collection[str]) -> dict[str, Link]:
    """Load whole links, with open attempts and intents, in three queries."""
    return {link_id: loaded for link_id, (loaded, _known) in load_known(tx, ids).items()}


def load_known(tx: Tx, ids: Collection[str]) -> dict[str, tuple[Link, Known]]:
    """Load whole links, each with what the ledger holds of it, for whoever is to store it again."""
    wanted = list(ids)
    if not wanted:
        return {}
    these = {"ids": wanted}
    loaded: dict[str, tuple[Link, Known]] = {}
    for row in tx.execute(_LINKS, these):
        state = link_codec.to_state(value_codec.loads(row.state))
        found = Link(row.id, row.sync, row.entity, state)
        found.paused, found.parent_id = row.paused, row.parent_id
        loaded[row.id] = found, {link_leases.STATE: row.state}
    for row in tx.execute(_SIDES, these):
        found, known = loaded[row.link_id]
        found.sides[row.connection] = item = _side(row)
        known[item.id] = tuple(row._mapping[name] for name in link_leases.SIDE_COLUMNS)  # noqa: SLF001 - its public way to a column by name
        if item.attempt is not None:
            known[item.attempt.id] = row.remaining
    for row in tx.execute(_OPEN_INTENTS, these):
        loaded[row.link_id][0].intents[row.connection] = row.marker
    return loaded


def of_refs(tx: Tx, refs: Iterable[Ref]) -> dict[Ref, str]:
    """Return the link of each record that has one, deleted records included."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for ref in refs:
        groups[ref.connection, ref.entity].append(ref.id)
    link_ids = {}
    for (connection, entity), remote_ids in groups.items():
        for row in tx.execute(_BY_REF, {"of": connection, "kind": entity, "ids": list(remote_ids)}):
            link_ids[Ref(connection, entity, row.remote_id)] = row.link_id
    return link_ids


def lease(tx: Tx, link_id: str, owner: str, now: datetime, until: datetime) -> int | None:
    """Take the lease of one link; see `link_leases.take`. None: it is held."""
    return link_leases.take(tx, {link_id: owner}, now, until).get(link_id)


def release(tx: Tx, link_id: str, owner: str, fence: int) -> None:
    """Give the lease back, if it is still ours."""
    link_leases.give_back(tx, HeldLink(link_id, owner, fence))


def save(
    tx: Tx, changed: Link, owner: str, fence: int, now: datetime, *, last: bool = False
) -> None:
    """Store one link; see `link_leases.save`. `last` gives the lease back."""
    held = HeldLink(changed.id, owner, fence, changed, gives_back=last)
    link_leases.save(tx, [held], now)


def add_side(tx: Tx, link_id: str, new: Side, now: datetime) -> bool:
    """Add a record to a link, and set the side's id; one that was deleted gives up its place to it.

    False when the record has a link already, or when the link has (or is about to get) a live side
    on the connection.
    """
    row = tx.execute(select(link.c.entity).where(link.c.id == link_id).with_for_update()).first()
    if row is None:
        return False
    live = select(side.c.id).where(
        side.c.link_id == link_id, side.c.connection == new.connection, side.c.tombstone.is_(False)
    )
    under_way = select(create_intent.c.number).where(
        create_intent.c.link_id == link_id,
        create_intent.c.connection == new.connection,
        create_intent.c.closed_at.is_(None),
    )
    if tx.execute(live).first() or tx.execute(under_way).first():
        return False
    if not _insert_side(tx, link_id, row.entity, new, now):
        return False
    _vacate(tx, link_id, new.connection)
    return True


def move_side(tx: Tx, side_id: str, to: str) -> None:
    """Move a record to another link, as if it had never been read.

    One that was deleted there gives up its place to it.
    """
    fresh: dict[str, Any] = {
        "fields": {},
        "version": None,
        "read_at": None,
        "missing_since": None,
        "suspect": None,
    }
    fresh |= {"link_id": to, "tombstone": False, "in_vain": 0, "in_scope": True, "detached": False}
    fresh |= {"unread": False}
    moved = update(side).where(side.c.id == int(side_id)).values(fresh)
    _vacate(tx, to, tx.execute(moved.returning(side.c.connection)).scalar_one())


def _vacate(tx: Tx, link_id: str, connection: str) -> None:
    """Forget the records of a link that were deleted on a connection: another has their place.

    If one of them comes back, it is a record that nobody knows, and is matched like one.
    """
    gone = (side.c.link_id == link_id, side.c.connection == connection, side.c.tombstone.is_(True))
    tx.execute(side.delete().where(*gone))


def ids(tx: Tx, after: str = "", limit: int = 500) -> list[str]:
    """Return the next ids of all links, in order."""
    return list(
        tx.execute(
            select(link.c.id).where(link.c.id > after).order_by(link.c.id).limit(limit)
        ).scalars()
    )


def ids_between(tx: Tx, after: str, upto: str, limit: int) -> list[str]:
    """Return the next ids of links after one and up to another, in order."""
    listed = select(link.c.id).where(link.c.id > after, link.c.id <= upto)
    return list(tx.execute(listed.order_by(link.c.id).limit(limit)).scalars())


@dataclass(frozen=True, slots=True)
class ListPlace:
    """The place of a link in the list of all links of its entity, the newest first."""

    made_at: datetime
    link_id: str


def newest(
    tx: Tx, entity: str, after: ListPlace | None, limit: int, *, sync: str = ""
) -> list[ListPlace]:
    """Return the next places of an entity's links, of one sync if one is given."""
    order = (link.c.created_at, link.c.id)
    listed = select(*order).where(link.c.entity == entity).limit(limit)
    if after is not None:
        older = and_(link.c.created_at == after.made_at, link.c.id < after.link_id)
        # The first condition says nothing new, and lets the index be entered at the place.
        upto = link.c.created_at <= after.made_at
        listed = listed.where(upto, or_(link.c.created_at < after.made_at, older))
    if sync:
        listed = listed.where(link.c.sync == sync)
    rows = tx.execute(listed.order_by(*(column.desc() for column in order)))
    return [ListPlace(row.created_at, row.id) for row in rows]


def newest_records(tx: Tx, connection: str, entity: str, limit: int) -> list[str]:
    """Return the ids of a connection's live records of an entity, the last met first."""
    known = select(side.c.remote_id).where(
        side.c.connection == connection, side.c.entity == entity, side.c.tombstone.is_(False)
    )
    return list(tx.execute(known.order_by(side.c.id.desc()).limit(limit)).scalars())


def place(tx: Tx, link_id: str) -> ListPlace | None:
    """Return the place of a link; None when there is none of this id."""
    row = tx.execute(select(link.c.created_at).where(link.c.id == link_id)).first()
    return None if row is None else ListPlace(row.created_at, link_id)


def syncs(tx: Tx) -> list[str]:
    """Return the names of the syncs that have links."""
    return list(tx.execute(select(link.c.sync).distinct().order_by(link.c.sync)).scalars())


def children(tx: Tx, link_id: str) -> list[str]:
    """Return the links that belong to a ticket."""
    return list(tx.execute(_CHILDREN, {"of": link_id}).scalars())


def count_by_entity(tx: Tx, link_ids: Collection[str]) -> dict[str, int]:
    """Count these links by their entity."""
    these = one_of(tx.dialect.name, link.c.id)
    number = func.count().label("number")
    counted = select(link.c.entity, number).where(these).group_by(link.c.entity)
    rows = tx.execute(counted.order_by(number.desc()), {"ids": list(link_ids)})
    return {row.entity: row.number for row in rows}


def count_sides(tx: Tx, connection: str, entity: str) -> int:
    """Count a connection's live records of an entity."""
    of = (side.c.connection == connection, side.c.entity == entity)
    known = select(func.count()).select_from(side).where(*of)
    # Both are counted in an index; that of the records has no tombstones in it.
    deleted = known.where(text("side.tombstone = true"))
    counted = select(known.scalar_subquery() - deleted.scalar_subquery())
    return int(tx.execute(counted).scalar_one())


def count_lacking(tx: Tx, sync: str, connection: str, *, on: str | None = None) -> int:
    """Count a sync's links with a live side (on that connection, if given) but none on this one."""
    has = exists().where(side.c.link_id == link.c.id, side.c.tombstone.is_(False))
    has = has if on is None else has.where(side.c.connection == on)
    lacks = ~exists().where(side.c.link_id == link.c.id, side.c.connection == connection)
    counted = (
        select(func.count())
        .select_from(link)
        .where(link.c.sync == sync, link.c.paused.is_(False), has, lacks)
    )
    return tx.execute(counted).scalar_one()


def find(tx: Tx, text: str, limit: int = 10) -> list[str]:
    """Find links by `connection:remote id`, by a remote id, or by the beginning of a link's id."""
    connection, _, remote_id = text.partition(":")
    # The first condition says nothing new, and lets the index of remote ids be used.
    whole = (
        side.c.remote_id.in_([text, remote_id]),
        or_(side.c.remote_id == text, side.c.connection == connection),
    )
    sides = select(side.c.link_id).where(*whole).distinct().limit(limit)
    matching = set(tx.execute(sides).scalars())
    if not matching and text:
        alike = link.c.id == text
        if _OF_LINK_ID.fullmatch(text):
            # Such letters have one order in all databases, and `z` is the last of them.
            between = link.c.id.between(text, text + _LAST_LETTER * _LONGEST_LINK_ID)
            alike = and_(between, link.c.id.startswith(text))
        begins = select(link.c.id).where(alike)
        matching = set(tx.execute(begins.order_by(link.c.id).limit(limit)).scalars())
    return sorted(matching)


def beginning(tx: Tx, text: str, limit: int = 10) -> list[tuple[str, str, str]]:
    """Return (link id, connection, remote id) of records whose remote id begins with a text.

    The text may begin with `connection:`; then the first LOOKED_AT that begin with the rest are
    looked at, of whichever connection.
    """
    connection, _, remote_id = text.partition(":")
    matching = _with_prefix(tx, text, limit)
    here = _with_prefix(tx, remote_id, LOOKED_AT)
    matching += [row for row in here if row.connection == connection]
    matching.sort(key=lambda row: (row.connection, row.remote_id))
    return [(row.link_id, row.connection, row.remote_id) for row in matching[:limit]]


def _with_prefix(tx: Tx, prefix: str, limit: int) -> list[Any]:
    if not prefix:
        return []
    shown = select(side.c.link_id, side.c.connection, side.c.remote_id)
    begins = shown.where(_begins(tx.dialect.name, prefix))
    return list(tx.execute(begins.order_by(side.c.remote_id).limit(limit)))


def _begins(dialect: str, prefix: str) -> ColumnElement[bool]:
    """Return the condition that a remote id begins so, in the words that each index is used for."""
    if dialect == "sqlite":
        return and_(side.c.remote_id >= prefix, side.c.remote_id < prefix + _LAST_CHARACTER)
    return side.c.remote_id.startswith(prefix, autoescape=True)


_CREATE = link.insert()
_CHILDREN = select(link.c.id).where(link.c.parent_id == bindparam("of")).order_by(link.c.id)


def _insert_side(tx: Tx, link_id: str, entity: str, new: Side, now: datetime) -> bool:
    values = link_leases.side_values(new) | {
        "link_id": link_id,
        "connection": new.connection,
        "entity": entity,
    }
    values |= {"remote_id": new.remote_id, "created_at": now}
    row_id = tx.execute(_add(tx.dialect.name), values).scalar()
    if row_id is None:
        return False
    new.id = str(row_id)
    return True


@cache
def _add(dialect: str) -> ReturningInsert[tuple[int]]:
    return insert_for(dialect, side).on_conflict_do_nothing().returning(side.c.id)


def _side(row: Any) -> Side:
    return Side(
        connection=row.connection,
        remote_id=row.remote_id,
        fields=link_codec.to_side_fields(value_codec.loads(row.fields)),
        version=row.version,
        read_at=row.read_at,
        attempt=(
            None
            if row.remaining is None
            else link_codec.to_attempt(value_codec.loads(row.remaining))
        ),
        missing_since=row.missing_since,
        tombstone=row.tombstone,
        suspect=None if row.suspect is None else value_codec.loads(row.suspect),
        in_vain=row.in_vain,
        in_scope=row.in_scope,
        detached=row.detached,
        handle=row.handle,
        id=str(row.id),
    )


_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_LINKS = select(
    link.c.id,
    link.c.sync,
    link.c.entity,
    as_text(link.c.state),
    link.c.paused,
    link.c.parent_id,
).where(link.c.id.in_(_IDS))
# A live side comes last, so that it hides a tombstone of the same connection.
_SIDES = (
    select(
        *(as_text(column) if isinstance(column.type, Json) else column for column in side.c),
        as_text(attempt.c.remaining),
    )
    .outerjoin(attempt, and_(attempt.c.side_id == side.c.id, attempt.c.closed_at.is_(None)))
    .where(side.c.link_id.in_(_IDS))
    .order_by(side.c.tombstone.desc(), side.c.id)
)
_OPEN_INTENTS = select(
    create_intent.c.link_id, create_intent.c.connection, create_intent.c.marker
).where(create_intent.c.link_id.in_(_IDS), create_intent.c.closed_at.is_(None))
_BY_REF = select(side.c.remote_id, side.c.link_id).where(
    side.c.connection == bindparam("of"),
    side.c.entity == bindparam("kind"),
    side.c.remote_id.in_(_IDS),
)
