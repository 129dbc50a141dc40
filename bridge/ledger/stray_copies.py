"""Copies of ours without a ticket: the ledger does not know their original, or not yet.

Or it does, and another copy has the place beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from bridge.core.model.values import Ref
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import stray_copy


def put(tx: Tx, ref: Ref, original: str, now: datetime) -> None:
    """Store that a record without a ticket is a copy of what has this key."""
    row = {"original": original, "seen_at": now}
    key = {"connection": ref.connection, "entity": ref.entity, "remote_id": ref.id}
    statement = insert(tx, stray_copy).values(key | row)
    tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_=row))


def of(tx: Tx, connection: str, originals: Iterable[str]) -> list[Ref]:
    """Return the stray copies on a connection of what has one of these keys."""
    found = select(stray_copy).where(
        stray_copy.c.connection == connection, stray_copy.c.original.in_(sorted(set(originals)))
    )
    return [Ref(row.connection, row.entity, row.remote_id) for row in tx.execute(found)]


def some_at(tx: Tx, connection: str, entity: str, count: int) -> dict[Ref, str]:
    """Return so many of the stray copies on a connection, those that were seen first.

    With the key of what each is a copy of.
    """
    of_entity = (stray_copy.c.connection == connection, stray_copy.c.entity == entity)
    order = (stray_copy.c.seen_at, stray_copy.c.remote_id)
    found = select(stray_copy).where(*of_entity).order_by(*order).limit(count)
    return {
        Ref(row.connection, row.entity, row.remote_id): row.original for row in tx.execute(found)
    }


def all_of(tx: Tx) -> list[Ref]:
    """Return all stray copies."""
    order = (stray_copy.c.connection, stray_copy.c.remote_id)
    return [
        Ref(row.connection, row.entity, row.remote_id)
        for row in tx.execute(select(stray_copy).order_by(*order))
    ]


_ANY = select(stray_copy.c.remote_id).where(stray_copy.c.connection == bindparam("there")).limit(1)


def any_at(tx: Tx, connection: str) -> bool:
    """Return whether a connection has stray copies."""
    return tx.execute(_ANY, {"there": connection}).first() is not None


_FORGET = delete(stray_copy).where(
    stray_copy.c.connection == bindparam("there"),
    stray_copy.c.entity == bindparam("what"),
    stray_copy.c.remote_id == bindparam("which"),
)


def forget(tx: Tx, ref: Ref) -> None:
    """Delete what was stored of a record: it has a ticket now, or is gone."""
    tx.execute(_FORGET, {"there": ref.connection, "what": ref.entity, "which": ref.id})
