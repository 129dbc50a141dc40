"""Findings about capabilities that a connection's documents leave uncertain, made by trying."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import probed


def record(tx: Tx, connection: str, name: str, value: bool, why: str, at: datetime) -> None:
    """Store a finding; a later one replaces it."""
    finding = {"value": value, "why": why, "at": at}
    statement = insert(tx, probed).values(connection=connection, name=name, **finding)
    tx.execute(statement.on_conflict_do_update(index_elements=["connection", "name"], set_=finding))


def findings(tx: Tx, connection: str) -> dict[str, bool]:
    """Return a connection's findings by name."""
    return dict(
        tx.execute(
            select(probed.c.name, probed.c.value).where(probed.c.connection == connection)
        ).all()
    )


_FINDINGS = select(probed.c.connection, probed.c.name, probed.c.value)


def by_connection(tx: Tx) -> dict[str, dict[str, bool]]:
    """Return the findings of every connection that has any."""
    by_name: dict[str, dict[str, bool]] = {}
    for row in tx.execute(_FINDINGS):
        by_name.setdefault(row.connection, {})[row.name] = row.value
    return by_name


def reasons(tx: Tx, connection: str) -> dict[str, str]:
    """Return the reason of each finding, by name."""
    return dict(
        tx.execute(
            select(probed.c.name, probed.c.why).where(probed.c.connection == connection)
        ).all()
    )


def take_back(tx: Tx, connection: str, name: str) -> None:
    """Delete one finding, so that it is made anew."""
    tx.execute(delete(probed).where(probed.c.connection == connection, probed.c.name == name))


def forget(tx: Tx, connection: str) -> None:
    """Delete a connection's findings, so that they are made anew, say after a new licence."""
    tx.execute(delete(probed).where(probed.c.connection == connection))
