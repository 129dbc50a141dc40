"""Attempts: each write is stored before it is sent, and closed by what was read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update

from bridge.core.model.state import Side
from bridge.errors import LeaseLost
from bridge.ledger import link_codec
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import attempt


def begin(
    tx: Tx,
    link_id: str,
    side: Side,
    now: datetime,
    *,
    destructive: int = 0,
    run_id: int | None = None,
) -> None:
    """Store the side's attempt. Raises LeaseLost while another one of the side is open."""
    if side.attempt is None or not side.id:
        raise ValueError("the side has no attempt to store, or is not stored itself yet")
    detail = link_codec.attempt(side.attempt)
    statement = insert(tx, attempt).values(
        id=side.attempt.id,
        link_id=link_id,
        side_id=int(side.id),
        connection=side.connection,
        verb=side.attempt.verb,
        detail=detail,
        remaining=detail,
        send_by=side.attempt.send_by,
        destructive=destructive,
        opened_at=now,
        run_id=run_id,
    )
    if tx.execute(statement.on_conflict_do_nothing().returning(attempt.c.number)).scalar() is None:
        raise LeaseLost(
            f"another write to {side.connection}:{side.remote_id} is under way; nothing was sent"
        )


def close(
    tx: Tx,
    attempt_id: str,
    outcome: str,
    now: datetime,
    *,
    read_back: Any = None,
    latency_ms: int | None = None,
) -> bool:
    """Close an attempt with its outcome; False when it was closed before.

    `read_back` is what its fields read as afterwards, None if nobody has looked.
    """
    statement = update(attempt).where(attempt.c.id == attempt_id, attempt.c.closed_at.is_(None))
    values = {
        "closed_at": now,
        "outcome": outcome,
        "read_back": read_back,
        "latency_ms": latency_ms,
        "remaining": {},
    }
    return bool(tx.execute(statement.values(values)).rowcount)


def history(tx: Tx, link_id: str) -> list[dict[str, Any]]:
    """Return a link's attempts in order: what was sent, when, and the outcome."""
    columns = (
        attempt.c.id,
        attempt.c.connection,
        attempt.c.verb,
        attempt.c.detail,
        attempt.c.send_by,
        attempt.c.destructive,
        attempt.c.opened_at,
        attempt.c.closed_at,
        attempt.c.outcome,
        attempt.c.read_back,
        attempt.c.latency_ms,
    )
    ordered = select(*columns).where(attempt.c.link_id == link_id).order_by(attempt.c.number)
    return [dict(row) for row in tx.execute(ordered).mappings()]


def last_begun(tx: Tx, link_id: str, side: Side) -> datetime | None:
    """Return when the side's newest attempt was begun; None when it has none."""
    of_side = (attempt.c.link_id == link_id, attempt.c.side_id == int(side.id))
    newest: datetime | None = tx.execute(
        select(func.max(attempt.c.opened_at)).where(*of_side)
    ).scalar_one()
    return newest


def count_destructive(tx: Tx, connection: str, since: datetime) -> int:
    """Count the destructive changes sent to a connection since then, without refused ones.

    A record that was written several times is counted once, by the attempt that destroys most.
    """
    by_side = select(func.max(attempt.c.destructive).label("most")).where(
        attempt.c.connection == connection,
        attempt.c.opened_at > since,
        attempt.c.destructive > 0,
        or_(attempt.c.outcome.is_(None), attempt.c.outcome != "refused"),
    )
    sides = by_side.group_by(attempt.c.side_id).subquery()
    return int(tx.execute(select(func.coalesce(func.sum(sides.c.most), 0))).scalar_one())
