"""Every accepted webhook, once for each delivery key, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select, text, update
from sqlalchemy.sql.dml import ReturningInsert

from bridge.ledger.session import Tx, insert_for
from bridge.ledger.tables import inbox

PENDING = "pending"


def accept(
    tx: Tx,
    *,
    connection: str,
    delivery_key: str,
    received_at: datetime,
    headers: Mapping[str, str],
    projection: Mapping[str, Any],
    digest: str,
    event: str,
    entity: str | None,
    remote_id: str | None,
    verdict: str = PENDING,
    why: str = "",
    body: str | None = None,
) -> tuple[int, bool]:
    """Write a delivery down; gives its row's id and whether it is the first of its key. A repeat is only counted."""
    row = tx.execute(
        _accept(tx.dialect.name),
        {
            "connection": connection,
            "delivery_key": delivery_key,
            "received_at": received_at,
            "deliveries": 1,
            "headers": dict(headers),
            "projection": dict(projection),
            "digest": digest,
            "event": event,
            "entity": entity,
            "remote_id": remote_id,
            "verdict": verdict,
            "why": why,
            "settled_at": None if verdict == PENDING else received_at,
            "body": body,
        },
    ).one()
    return row.id, row.deliveries == 1


@cache
def _accept(dialect: str) -> ReturningInsert[tuple[int, int]]:
    repeat = insert_for(dialect, inbox).on_conflict_do_update(
        index_elements=["connection", "delivery_key"], set_={"deliveries": inbox.c.deliveries + 1}
    )
    return repeat.returning(inbox.c.id, inbox.c.deliveries)


def last(tx: Tx, connection: str, entity: str, remote_id: str) -> int:
    """Give the id of the newest pending webhook for a record; 0 when there is none."""
    key = {"of_connection": connection, "of_entity": entity, "of_id": remote_id}
    return tx.execute(_LAST, key).scalar() or 0


def settle(
    tx: Tx, connection: str, entity: str, remote_id: str, upto: int, verdict: str, why: str, at: datetime
) -> int:
    """Give every pending webhook for a record, up to that id, its final verdict; gives how many there were."""
    key = {"of_connection": connection, "of_entity": entity, "of_id": remote_id, "upto": upto}
    return tx.execute(_SETTLE, key | {"said": verdict, "because": why, "when": at}).rowcount


def counts(tx: Tx) -> dict[str, int]:
    """Count the webhooks by verdict."""
    found = select(inbox.c.verdict, func.count()).group_by(inbox.c.verdict)
    return dict(tx.execute(found).all())


def recent(tx: Tx, *, verdict: str | None = None, before: int | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """List webhooks, newest first; `before` pages on from an id."""
    statement = select(inbox).order_by(inbox.c.id.desc()).limit(limit)
    if verdict is not None:
        statement = statement.where(inbox.c.verdict == verdict)
    if before is not None:
        statement = statement.where(inbox.c.id < before)
    return [dict(row) for row in tx.execute(statement).mappings()]


def get(tx: Tx, row_id: int) -> dict[str, Any] | None:
    """Give one webhook."""
    row = tx.execute(select(inbox).where(inbox.c.id == row_id)).mappings().first()
    return None if row is None else dict(row)


def prune(tx: Tx, before: datetime) -> int:
    """Forget settled webhooks received before that time; a pending one is never forgotten."""
    old = delete(inbox).where(inbox.c.received_at < before, inbox.c.verdict != PENDING)
    return tx.execute(old).rowcount


_PENDING = and_(
    inbox.c.connection == bindparam("of_connection"),
    inbox.c.entity == bindparam("of_entity"),
    inbox.c.remote_id == bindparam("of_id"),
    # Written out, so that both databases can use the partial index.
    inbox.c.verdict == text("'pending'"),
)
_LAST = select(func.max(inbox.c.id)).where(_PENDING)
_SETTLE = (
    update(inbox)
    .where(_PENDING, inbox.c.id <= bindparam("upto"))
    .values(verdict=bindparam("said"), why=bindparam("because"), settled_at=bindparam("when"))
)
