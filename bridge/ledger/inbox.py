"""Every accepted webhook, once for each delivery key, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from bridge.ledger.session import Tx, insert
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
    statement = insert(tx, inbox).values(
        connection=connection,
        delivery_key=delivery_key,
        received_at=received_at,
        deliveries=1,
        headers=dict(headers),
        projection=dict(projection),
        digest=digest,
        event=event,
        entity=entity,
        remote_id=remote_id,
        verdict=verdict,
        why=why,
        settled_at=None if verdict == PENDING else received_at,
        body=body,
    )
    row = tx.execute(
        statement.on_conflict_do_update(
            index_elements=["connection", "delivery_key"], set_={"deliveries": inbox.c.deliveries + 1}
        ).returning(inbox.c.id, inbox.c.deliveries)
    ).one()
    return row.id, row.deliveries == 1


def last(tx: Tx, connection: str, entity: str, remote_id: str) -> int:
    """Give the id of the newest pending webhook for a record; 0 when there is none."""
    found = select(func.max(inbox.c.id)).where(*_pending(connection, entity, remote_id))
    return tx.execute(found).scalar() or 0


def settle(
    tx: Tx, connection: str, entity: str, remote_id: str, upto: int, verdict: str, why: str, at: datetime
) -> int:
    """Give every pending webhook for a record, up to that id, its final verdict; gives how many there were."""
    statement = update(inbox).where(*_pending(connection, entity, remote_id), inbox.c.id <= upto)
    return tx.execute(statement.values(verdict=verdict, why=why, settled_at=at)).rowcount


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


def _pending(connection: str, entity: str, remote_id: str) -> tuple[Any, ...]:
    return (
        inbox.c.connection == connection,
        inbox.c.entity == entity,
        inbox.c.remote_id == remote_id,
        inbox.c.verdict == PENDING,
    )
