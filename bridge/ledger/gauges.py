"""Figures that connections report about their accounts: the newest value of each, with its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import figure

ASKED = ""
"""The name of the row that holds when a connection was last asked for its account metrics."""


@dataclass(frozen=True, slots=True)
class AccountMetric:
    """One number that a connection reported."""

    connection: str
    name: str
    value: float
    at: datetime


def put(tx: Tx, connection: str, values: Mapping[str, float], at: datetime) -> None:
    """Store a connection's account metrics; those that it no longer reports are deleted."""
    named = [name for name in values if name != ASKED]
    tx.execute(
        delete(figure).where(
            figure.c.connection == connection, figure.c.name.not_in([*named, ASKED])
        )
    )
    for name in sorted(named):
        _put(tx, connection, name, float(values[name]), at)


def asked(tx: Tx, connection: str, at: datetime) -> None:
    """Store when a connection was asked."""
    _put(tx, connection, ASKED, 0.0, at)


def last_asked(tx: Tx) -> dict[str, datetime]:
    """Return when each connection was last asked."""
    return {
        row.connection: row.at for row in tx.execute(select(figure).where(figure.c.name == ASKED))
    }


def account_metrics(tx: Tx) -> list[AccountMetric]:
    """Return every connection's account metrics."""
    ordered = (
        select(figure).where(figure.c.name != ASKED).order_by(figure.c.connection, figure.c.name)
    )
    return [AccountMetric(**row) for row in tx.execute(ordered).mappings()]


def _put(tx: Tx, connection: str, name: str, value: float, at: datetime) -> None:
    changes = {"value": value, "at": at}
    statement = insert(tx, figure).values(connection=connection, name=name, **changes)
    tx.execute(statement.on_conflict_do_update(index_elements=["connection", "name"], set_=changes))
