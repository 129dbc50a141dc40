"""Leases of links, and storing the links that are held under them: many in one statement.

Whoever stores a link names its lease's owner and number (the fence). Where another task has taken
one of the leases over since, `save` raises; the caller rolls back, and stores the others again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Text, and_, bindparam, case, func, or_, select, true, update
from sqlalchemy.sql.dml import ReturningUpdate, Update

from bridge.core.model.state import Link, Side
from bridge.errors import LeaseLost
from bridge.ledger import link_codec, value_codec
from bridge.ledger.database import Tx
from bridge.ledger.json_rows import Rows
from bridge.ledger.tables import attempt, link, side

Known = dict[str, object]
"""What the ledger holds of a link, encoded, by part: what is as it was is not stored again."""
STATE: Final = "state"
"""The key of the link's own part; those of its sides and attempts are their ids."""


@dataclass(frozen=True, slots=True)
class HeldLink:
    """A link under its lease, and what is to be done with the two."""

    id: str
    owner: str
    fence: int
    link: Link | None = None
    """What is stored, with its sides; None: what is stored stays."""
    gives_back: bool = True
    until: datetime | None = None
    """How long the lease is held on; None: as long as before."""
    known: Known = field(default_factory=dict)
    fresh: Known = field(default_factory=dict)
    """What `save` has stored; to be known once that is committed."""


def take(tx: Tx, owners: Mapping[str, str], now: datetime, until: datetime) -> dict[str, int]:
    """Lease the links that are free, or whose lease has run out, to these owners, by link.

    Return the new fence of each. A row that another transaction has locked counts as held: to wait
    for it could end in a deadlock.
    """
    if not owners:
        return {}
    dialect = tx.dialect.name
    asked = _OWNERS.given(tx, sorted(owners.items()))
    rows = tx.execute(_take(dialect), asked | {"now": now, "until": until})
    return {row.id: row.fence for row in rows}


def save(tx: Tx, held: Sequence[HeldLink], now: datetime) -> None:
    """Store links with those of their sides that have changed, also retired ones.

    Raises LeaseLost where another task has taken a lease over; what was stored until then is for
    the caller to roll back.
    """
    if not held:
        return
    _save_links(tx, held, now)
    whole = [(each, each.link) for each in held if each.link is not None]
    sides = [(each, item) for each, link in whole for item in _stored_sides(link)]
    _save_sides(tx, sides)
    _save_attempts(tx, sides)


def _save_links(tx: Tx, held: Sequence[HeldLink], now: datetime) -> None:
    rows = []
    for each in held:
        state = paused = None
        if each.link is not None:
            state, paused = _changed(each, STATE, state_text(each.link)), each.link.paused
        lease = (each.id, each.owner, each.fence)
        rows.append((*lease, state, paused, each.gives_back, each.until))
    given = _HELD.given(tx, rows) | {"now": now}
    stored = set(tx.execute(_save(tx.dialect.name), given).scalars())
    if lost := [each.id for each in held if each.id not in stored]:
        raise LeaseLost(
            f"another worker has taken over the lease of link {lost[0]}; nothing was stored"
        )


def _save_sides(tx: Tx, sides: Iterable[tuple[HeldLink, Side]]) -> None:
    rows = [
        (int(item.id), held.id, *changed)
        for held, item in sides
        if (changed := _changed(held, item.id, side_row(item)))
    ]
    if rows:
        tx.execute(_save_side(tx.dialect.name), _SIDES.given(tx, rows))


def _save_attempts(tx: Tx, sides: Iterable[tuple[HeldLink, Side]]) -> None:
    """Keep what is left of attempts beside what was sent: a read may settle a part of one."""
    rows = [
        (item.attempt.id, left)
        for held, item in sides
        if item.attempt and (left := _changed(held, item.attempt.id, attempt_text(item.attempt)))
    ]
    if rows:
        tx.execute(_save_attempt(tx.dialect.name), _LEFT.given(tx, rows))


def give_back(tx: Tx, held: HeldLink) -> None:
    """End a lease, if it is still ours."""
    tx.execute(_GIVE_BACK, {"of": held.id, "who": held.owner, "number": held.fence})


def side_values(item: Side) -> dict[str, Any]:
    """Return what a side's row holds besides its names, by column."""
    return {
        "fields": link_codec.side_fields(item.fields),
        "version": item.version,
        "read_at": item.read_at,
        "missing_since": item.missing_since,
        "tombstone": item.tombstone,
        "suspect": item.suspect,
        "in_vain": item.in_vain,
        "in_scope": item.in_scope,
        "detached": item.detached,
        "handle": item.handle,
        "unread": link_codec.is_unread(item.fields),
    }


def side_row(item: Side) -> tuple[Any, ...]:
    """Return the same with its JSON encoded, in the order of the columns."""
    values = side_values(item)
    return tuple(_text(values[name]) if name in _ENCODED else values[name] for name in SIDE_COLUMNS)


def attempt_text(item: Any) -> str:
    """Return an attempt as it is encoded."""
    return value_codec.dumps(link_codec.attempt(item))


def state_text(held: Link) -> str:
    """Return a link's own state as it is encoded."""
    return value_codec.dumps(link_codec.state(held.state))


def _text(value: Any) -> str | None:
    return None if value is None else value_codec.dumps(value)


def _changed(held: HeldLink, part: str, stored: Any) -> Any:
    """Return what is to be stored of a part of a link; None: the ledger holds just that."""
    if held.known.get(part) == stored:
        return None
    held.fresh[part] = stored
    return stored


def _stored_sides(held: Link) -> list[Side]:
    return [item for item in (*held.sides.values(), *held.retired.values()) if item.id]


SIDE_COLUMNS = (
    "fields",
    "version",
    "read_at",
    "missing_since",
    "tombstone",
    "suspect",
    "in_vain",
    "in_scope",
    "detached",
    "handle",
    "unread",
)
_ENCODED = frozenset({"fields", "suspect"})
_OWNERS = Rows(id=link.c.id.type, owner=link.c.lease_owner.type)
_HELD = Rows(
    id=link.c.id.type,
    owner=link.c.lease_owner.type,
    fence=link.c.fence.type,
    state=Text(),
    paused=link.c.paused.type,
    gives_back=link.c.paused.type,
    until=link.c.lease_until.type,
)
SIDE_TYPES = {name: Text() if name in _ENCODED else side.c[name].type for name in SIDE_COLUMNS}
"""The types of the values of `side_row`."""
_SIDES = Rows(id=side.c.id.type, link_id=link.c.id.type, **SIDE_TYPES)
_LEFT = Rows(id=attempt.c.id.type, remaining=Text())
NOW = bindparam("now", type_=link.c.updated_at.type)
_OURS = and_(
    link.c.id == bindparam("of"),
    link.c.lease_owner == bindparam("who"),
    link.c.fence == bindparam("number"),
)
_GIVE_BACK = update(link).where(_OURS).values(lease_owner=None, lease_until=None)


@cache
def _take(dialect: str) -> ReturningUpdate[Any]:
    asked = _OWNERS.table(dialect)
    free = (
        select(link.c.id, asked.c.owner)
        .join(asked, link.c.id == asked.c.id)
        .where(or_(link.c.lease_until.is_(None), link.c.lease_until <= NOW))
        .order_by(link.c.id)
        .with_for_update(of=link, skip_locked=True)
        .subquery("free")
    )
    until = bindparam("until", type_=link.c.lease_until.type)
    taken = update(link).where(link.c.id == free.c.id)
    values = {"lease_owner": free.c.owner, "lease_until": until, "fence": link.c.fence + 1}
    return taken.values(values).returning(link.c.id, link.c.fence)


@cache
def _save(dialect: str) -> ReturningUpdate[Any]:
    new = _HELD.table(dialect)
    ends = new.c.gives_back == true()
    values = {
        "state": func.coalesce(new.c.state, link.c.state),
        "paused": func.coalesce(new.c.paused, link.c.paused),
        "lease_owner": case((ends, None), else_=link.c.lease_owner),
        "lease_until": case((ends, None), else_=func.coalesce(new.c.until, link.c.lease_until)),
        "updated_at": NOW,
    }
    ours = (
        link.c.id == new.c.id,
        link.c.lease_owner == new.c.owner,
        link.c.fence == new.c.fence,
    )
    return update(link).where(*ours).values(values).returning(link.c.id)


@cache
def _save_side(dialect: str) -> Update:
    new = _SIDES.table(dialect)
    ours = (side.c.id == new.c.id, side.c.link_id == new.c.link_id)
    return update(side).where(*ours).values({name: new.c[name] for name in SIDE_COLUMNS})


@cache
def _save_attempt(dialect: str) -> Update:
    new = _LEFT.table(dialect)
    still_open = (attempt.c.id == new.c.id, attempt.c.closed_at.is_(None))
    return update(attempt).where(*still_open).values(remaining=new.c.remaining)
