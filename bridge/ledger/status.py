"""The figures that `bridge status` and the readiness check show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from bridge.ledger import conflicts, health, inbox, runs, work
from bridge.ledger.health import Health
from bridge.ledger.runs import RunRow
from bridge.ledger.session import Tx
from bridge.ledger.tables import attempt, create_intent, link, side


@dataclass(frozen=True, slots=True)
class Status:
    """The ledger at a glance."""

    links: int
    sides: dict[str, int]
    """Live sides by connection."""
    backlog: dict[str, Any]
    inbox: dict[str, int]
    conflicts_open: int
    attempts_open: int
    intents_open: int
    health: dict[str, Health]
    runs: list[RunRow]


def summary(tx: Tx, now: datetime) -> Status:
    """Collect the figures."""
    live = select(side.c.connection, func.count()).where(side.c.tombstone.is_(False)).group_by(side.c.connection)
    unsettled = select(func.count()).select_from(attempt).where(attempt.c.closed_at.is_(None))
    creating = select(func.count()).select_from(create_intent).where(create_intent.c.closed_at.is_(None))
    return Status(
        links=tx.execute(select(func.count()).select_from(link)).scalar_one(),
        sides=dict(tx.execute(live.order_by(side.c.connection)).all()),
        backlog=work.backlog(tx, now),
        inbox=inbox.counts(tx),
        conflicts_open=conflicts.count_open(tx),
        attempts_open=tx.execute(unsettled).scalar_one(),
        intents_open=tx.execute(creating).scalar_one(),
        health=health.all_(tx),
        runs=runs.recent(tx),
    )


def ping(tx: Tx) -> None:
    """Ask the database for an answer, no more."""
    tx.execute(select(1))
