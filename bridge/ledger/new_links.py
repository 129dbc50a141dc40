"""Links that are started, and records that were made for a link: many in one statement.

Both are looked for first: what has a link already, or may be the same thing as what has one, is not
stored. What is looked for is locked until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Text, insert, select, true
from sqlalchemy.sql.dml import Insert, ReturningInsert

from bridge.core.model.state import Link, Side
from bridge.core.model.values import Ref
from bridge.errors import LeaseLost
from bridge.ledger import intents, link_leases, links, matching
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.intents import ClosedIntent
from bridge.ledger.json_rows import Rows
from bridge.ledger.link_leases import SIDE_COLUMNS, Known
from bridge.ledger.matching import LinkKeys, SyncKey
from bridge.ledger.tables import link, side

FIRST_FENCE = 1
"""The number of the lease under which a link is started."""


@dataclass(slots=True)
class NewLink:
    """A link that is started with its one record."""

    link: Link
    keys: LinkKeys
    """By which it is found from here on."""
    unless: frozenset[SyncKey] = frozenset()
    """Keys under which no link may be known: else it may be the same thing."""
    locks: frozenset[str] = frozenset()
    """The names that whoever looks for the same thing locks, too."""
    owner: str = ""
    """Who starts it with a lease; empty: nobody has one."""
    until: datetime | None = None
    """When the lease runs out."""
    known: Known = field(default_factory=dict)
    """What `start` has stored; to be known once that is committed."""
    is_known: bool = False
    """Found by `look`: it may be linked already."""

    @property
    def ref(self) -> Ref:
        """Return its record."""
        (own,) = self.link.sides.values()
        return Ref(own.connection, self.link.entity, own.remote_id)


@dataclass(slots=True)
class AdoptedRecord:
    """A record that our create has made, as it becomes a side of its link."""

    made: ClosedIntent
    link_id: str
    entity: str
    side: Side
    keys: LinkKeys
    """By which the link is found through it."""
    is_known: bool = False
    """Found by `look`: it has a link already."""

    @property
    def ref(self) -> Ref:
        """Return the record."""
        return Ref(self.side.connection, self.entity, self.side.remote_id)


def look(tx: Tx, started: Sequence[NewLink], adopted: Sequence[AdoptedRecord]) -> None:
    """Find out which of these may be linked already, and lock what they are looked for by.

    Where two that are started together share a lock, the second may be the same as the first.
    """
    if not (started or adopted):
        return
    matching.lock_all(tx, {(each.link.sync, name) for each in started for name in each.locks})
    refs = [*(each.ref for each in started), *(each.ref for each in adopted)]
    linked = links.of_refs(tx, refs)
    sought = [(each.link.id, each.link.sync, key) for each in started for key in each.unless]
    alike = matching.with_known_keys(tx, sought)
    locked: set[tuple[str, str]] = set()
    for each in started:
        names = {(each.link.sync, name) for name in each.locks}
        shares = bool(names & locked)
        each.is_known = shares or each.ref in linked or each.link.id in alike
        locked |= names
    for made in adopted:
        made.is_known = made.ref in linked


def start(tx: Tx, started: Sequence[NewLink], now: datetime) -> None:
    """Store links, each with its side and keys, and give the sides their ids."""
    if not started:
        return
    rows = []
    for each in started:
        new = each.link
        each.known[link_leases.STATE] = state = link_leases.state_text(new)
        fence = FIRST_FENCE if each.owner else 0
        lease = (each.owner or None, each.until, fence)
        rows.append((new.id, new.sync, new.entity, state, new.paused, new.parent_id, *lease))
    tx.execute(_start(tx.dialect.name), _STARTED.given(tx, rows) | {"now": now})
    sides = [
        (each.link.id, each.link.entity, own)
        for each in started
        for own in each.link.sides.values()
    ]
    encoded = _add_sides(tx, sides, now)
    for each in started:
        each.known |= {own.id: encoded[own.id] for own in each.link.sides.values()}
    matching.add_all(tx, [each.keys for each in started])


def adopt(tx: Tx, adopted: Sequence[AdoptedRecord], now: datetime) -> None:
    """Store what creates have made, close their intents, and give the sides their ids.

    Other sides need no check: the open intent has kept `links.add_side` from taking the place, and
    the unique constraints hold anyway.
    """
    if not adopted:
        return
    intents.close_all(tx, [each.made for each in adopted])
    _add_sides(tx, [(each.link_id, each.entity, each.side) for each in adopted], now)
    matching.put_all(tx, [each.keys for each in adopted])


def _add_sides(
    tx: Tx, added: Sequence[tuple[str, str, Side]], now: datetime
) -> dict[str, tuple[Any, ...]]:
    """Store sides, give them their ids, and return each as it was encoded, by id."""
    rows = {
        (link_id, new.connection): (
            *(link_id, new.connection, entity, new.remote_id),
            *link_leases.side_row(new),
        )
        for link_id, entity, new in added
    }
    given = _SIDES.given(tx, rows.values()) | {"now": now}
    ids = {
        (row.link_id, row.connection): str(row.id)
        for row in tx.execute(_add(tx.dialect.name), given)
    }
    if taken := [each for each in rows if each not in ids]:
        raise LeaseLost(
            f"another worker has just linked the {taken[0][1]} record of link {taken[0][0]}; "
            "nothing was stored"
        )
    for link_id, _entity, new in added:
        new.id = ids[link_id, new.connection]
    return {ids[place]: row[-len(SIDE_COLUMNS) :] for place, row in rows.items()}


_STARTED = Rows(
    id=link.c.id.type,
    sync=link.c.sync.type,
    entity=link.c.entity.type,
    state=Text(),
    paused=link.c.paused.type,
    parent_id=link.c.parent_id.type,
    lease_owner=link.c.lease_owner.type,
    lease_until=link.c.lease_until.type,
    fence=link.c.fence.type,
)
_PLACE = ("link_id", "connection", "entity", "remote_id")
_SIDES = Rows(**{name: side.c[name].type for name in _PLACE}, **link_leases.SIDE_TYPES)


@cache
def _start(dialect: str) -> Insert:
    new = _STARTED.table(dialect)
    now = link_leases.NOW
    rows = select(*new.c, now.label("created_at"), now.label("updated_at"))
    return insert(link).from_select([*new.c.keys(), "created_at", "updated_at"], rows)


@cache
def _add(dialect: str) -> ReturningInsert[Any]:
    new = _SIDES.table(dialect)
    rows = select(*new.c, link_leases.NOW.label("created_at")).where(true())
    added = insert_for(dialect, side).from_select([*new.c.keys(), "created_at"], rows)
    return added.on_conflict_do_nothing().returning(side.c.id, side.c.link_id, side.c.connection)
