"""How each connection is doing: usable, resting for a while, or refused until an admin resumes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from bridge.ledger.session import Tx, insert
from bridge.ledger.tables import connection_health as health

PATIENCE = 5
"""Failures in a row after which a connection rests."""
CALM = timedelta(minutes=2)
"""A failure this long after the last one is the first of a new row."""
LONGEST_REST = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """One connection's health. `refused_at` set: stopped until resumed. `paused_until` in the future: resting."""

    connection: str
    paused_until: datetime | None
    refused_at: datetime | None
    why: str
    failures: int
    failed_at: datetime | None


def all_(tx: Tx) -> dict[str, Health]:
    """Give the health of every connection that ever had trouble."""
    rows = tx.execute(select(health).order_by(health.c.connection)).mappings()
    return {row["connection"]: Health(**row) for row in rows}


def closed(tx: Tx, now: datetime) -> set[str]:
    """Give the connections that must not be called now."""
    found = select(health.c.connection).where(or_(health.c.refused_at.is_not(None), health.c.paused_until > now))
    return set(tx.execute(found).scalars())


def pause(tx: Tx, connection: str, until: datetime, why: str) -> None:
    """Let a connection rest until then."""
    _put(tx, connection, {"paused_until": until, "why": why})


def refuse(tx: Tx, connection: str, why: str, now: datetime) -> bool:
    """Stop a connection until it is resumed; True the first time, which is when to say so."""
    _put(tx, connection, {})
    statement = update(health).where(health.c.connection == connection, health.c.refused_at.is_(None))
    return bool(tx.execute(statement.values(refused_at=now, why=why)).rowcount)


def failed(tx: Tx, connection: str, why: str, now: datetime) -> int:
    """Count a failed call; several in a row make the connection rest, longer each time. Gives the count."""
    _put(tx, connection, {})
    row = tx.execute(select(health).where(health.c.connection == connection).with_for_update()).one()
    fresh = row.failed_at is None or row.failed_at + CALM + timedelta(seconds=LONGEST_REST) < now
    failures = 1 if fresh else row.failures + 1
    changes: dict[str, Any] = {"failures": failures, "failed_at": now}
    if failures >= PATIENCE:
        rest = min(LONGEST_REST, 2.0 ** min(failures - PATIENCE, 10))
        changes |= {"paused_until": now + timedelta(seconds=rest), "why": why}
    tx.execute(update(health).where(health.c.connection == connection).values(changes))
    return failures


def worked(tx: Tx, connection: str) -> None:
    """Forget the failures of a connection that answered."""
    trouble = update(health).where(health.c.connection == connection, health.c.failures > 0)
    tx.execute(trouble.values(failures=0, failed_at=None))


def resume(tx: Tx, connection: str) -> None:
    """Use the connection again, by an admin's word."""
    _put(tx, connection, {"paused_until": None, "refused_at": None, "why": "", "failures": 0, "failed_at": None})


def _put(tx: Tx, connection: str, changes: dict[str, Any]) -> None:
    statement = insert(tx, health).values(connection=connection, **changes)
    if changes:
        tx.execute(statement.on_conflict_do_update(index_elements=["connection"], set_=changes))
    else:
        tx.execute(statement.on_conflict_do_nothing())
