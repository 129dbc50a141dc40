"""What the connections tell of themselves in numbers: the newest value of each, with its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import figure

ASKED = ""
"""The name under which it is kept when a connection was last asked."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a connection's."""

    connection: str
    name: str
    value: float
    at: datetime


def put(tx: Tx, connection: str, values: Mapping[str, float], at: datetime) -> None:
    """Store what a connection said; what it no longer names is forgotten."""
    named = [name for name in values if name != ASKED]
    tx.execute(
        delete(figure).where(
            figure.c.connection == connection, figure.c.name.not_in([*named, ASKED])
        )
    )
    for name in sorted(named):
        _put(tx, connection, name, float(values[name]), at)


def asked(tx: Tx, connection: str, at: datetime) -> None:
    """Remember when a connection was asked."""
    _put(tx, connection, ASKED, 0.0, at)


def last_asked(tx: Tx) -> dict[str, datetime]:
    """Give, for each connection that was ever asked, when that was."""
    return {
        row.connection: row.at for row in tx.execute(select(figure).where(figure.c.name == ASKED))
    }


def figures(tx: Tx) -> list[Figure]:
    """Give every figure."""
    found = (
        select(figure).where(figure.c.name != ASKED).order_by(figure.c.connection, figure.c.name)
    )
    return [Figure(**row) for row in tx.execute(found).mappings()]


def _put(tx: Tx, connection: str, name: str, value: float, at: datetime) -> None:
    changes = {"value": value, "at": at}
    statement = insert(tx, figure).values(connection=connection, name=name, **changes)
    tx.execute(statement.on_conflict_do_update(index_elements=["connection", "name"], set_=changes))
