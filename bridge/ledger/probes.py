"""Findings about capabilities that a connection's documents leave uncertain, made by trying."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from bridge.ledger.database import Ledger, Tx, insert
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


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about a connection, why, and when."""

    connection: str
    value: bool
    why: str
    at: datetime


def named(tx: Tx, name: str) -> list[Finding]:
    """Return the findings of all connections about one capability."""
    columns = (probed.c.connection, probed.c.value, probed.c.why, probed.c.at)
    rows = tx.execute(select(*columns).where(probed.c.name == name).order_by(probed.c.connection))
    return [Finding(*row) for row in rows]


def by_name(tx: Tx, connection: str) -> dict[str, Finding]:
    """Return a connection's findings by name, whole."""
    columns = (probed.c.connection, probed.c.value, probed.c.why, probed.c.at)
    rows = select(probed.c.name, *columns).where(probed.c.connection == connection)
    return {name: Finding(*row) for name, *row in tx.execute(rows.order_by(probed.c.name))}


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


def forget_refusals(tx: Tx, connection: str, but: Collection[str]) -> None:
    """Delete what a connection was found not to do, but for some: it is tried again."""
    refused = (probed.c.connection == connection, probed.c.value.is_(False))
    tx.execute(delete(probed).where(*refused, probed.c.name.not_in(but)))


class LedgerFindings:
    """The findings of one connection, as a connector asks for them and keeps them."""

    def __init__(self, ledger: Ledger, connection: str, now: Callable[[], datetime]) -> None:
        self._ledger, self._connection, self._now = ledger, connection, now

    def known(self) -> Mapping[str, bool]:
        """Return all findings by name."""
        with self._ledger.read() as tx:
            return findings(tx, self._connection)

    def keep(self, name: str, why: str) -> None:
        """Keep that something is so, in a transaction of its own."""
        with self._ledger.transaction() as tx:
            record(tx, self._connection, name, True, why, self._now())
