"""What was found out about each connection's uncertain capabilities."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import probed


def record(tx: Tx, connection: str, name: str, value: bool, why: str, at: datetime) -> None:
    """Remember a finding; a later one replaces it."""
    found = {"value": value, "why": why, "at": at}
    statement = insert(tx, probed).values(connection=connection, name=name, **found)
    tx.execute(statement.on_conflict_do_update(index_elements=["connection", "name"], set_=found))


def findings(tx: Tx, connection: str) -> dict[str, bool]:
    """Give a connection's findings by name."""
    return dict(
        tx.execute(
            select(probed.c.name, probed.c.value).where(probed.c.connection == connection)
        ).all()
    )


_FINDINGS = select(probed.c.connection, probed.c.name, probed.c.value)


def by_connection(tx: Tx) -> dict[str, dict[str, bool]]:
    """Give the findings of every connection that has any."""
    found: dict[str, dict[str, bool]] = {}
    for row in tx.execute(_FINDINGS):
        found.setdefault(row.connection, {})[row.name] = row.value
    return found


def reasons(tx: Tx, connection: str) -> dict[str, str]:
    """Give why each finding is believed."""
    return dict(
        tx.execute(
            select(probed.c.name, probed.c.why).where(probed.c.connection == connection)
        ).all()
    )


def forget(tx: Tx, connection: str) -> None:
    """Find everything out anew: a licence or a setting may have changed."""
    tx.execute(delete(probed).where(probed.c.connection == connection))
