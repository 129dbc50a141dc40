"""The counts that `bridge status` and `/metrics` show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from bridge.ledger import (
    conflict_log,
    connection_health,
    gauges,
    parking,
    run_records,
    webhook_inbox,
    work,
)
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Tx
from bridge.ledger.gauges import AccountMetric
from bridge.ledger.parking import ParkedGroup
from bridge.ledger.run_records import RunRow
from bridge.ledger.tables import attempt, create_intent, link, side
from bridge.ledger.webhook_inbox import WebhookAccount


@dataclass(frozen=True, slots=True)
class Status:
    """The ledger at a glance."""

    links: int
    entities: dict[str, int]
    """The number of links by entity."""
    paused: int
    """Paused links: nothing is written to their records until an operator resumes them."""
    sides: dict[str, int]
    """Live sides by connection."""
    backlog: dict[str, Any]
    inbox: dict[str, int]
    conflicts_open: int
    attempts_open: int
    intents_open: int
    health: dict[str, Health]
    runs: list[RunRow]
    account: WebhookAccount
    """The account of all webhooks that were ever accepted."""
    lanes: dict[str, int]
    """Outstanding work by lane."""
    parked: list[ParkedGroup]
    """Parked work by cause and connection."""
    waiting: dict[str, datetime]
    """Since when the oldest due work waits, by connection with due work: the lag."""
    account_metrics: list[AccountMetric]
    writes: dict[str, int]
    """Writes of the last minute, by connection."""


def summary(tx: Tx, now: datetime) -> Status:
    """Count everything."""
    live = (
        select(side.c.connection, func.count())
        .where(side.c.tombstone.is_(False))
        .group_by(side.c.connection)
    )
    open_attempts = select(func.count()).select_from(attempt).where(attempt.c.closed_at.is_(None))
    entities = _entities(tx)
    return Status(
        links=sum(entities.values()),
        entities=entities,
        paused=tx.execute(select(func.count()).select_from(link).where(link.c.paused)).scalar_one(),
        sides=dict(tx.execute(live.order_by(side.c.connection)).all()),
        backlog=work.backlog(tx, now),
        inbox=webhook_inbox.counts(tx),
        conflicts_open=conflict_log.count_open(tx),
        attempts_open=tx.execute(open_attempts).scalar_one(),
        intents_open=open_creates(tx),
        health=connection_health.by_name(tx),
        runs=run_records.recent(tx),
        account=webhook_inbox.account(tx),
        lanes=work.by_lane(tx),
        parked=parking.groups(tx),
        waiting=work.waiting(tx, now),
        account_metrics=gauges.account_metrics(tx),
        writes=_writes(tx, now - timedelta(minutes=1)),
    )


def called(tx: Tx, status: Status) -> set[str]:
    """Return the connections that were called at least once, as far as the ledger knows."""
    return {
        *status.sides,
        *status.health,
        *(metric.connection for metric in status.account_metrics),
        *run_records.callers(tx),
    }


def open_creates(tx: Tx) -> int:
    """Count the creates whose outcome is not known yet."""
    counted = (
        select(func.count()).select_from(create_intent).where(create_intent.c.closed_at.is_(None))
    )
    return tx.execute(counted).scalar_one()


def _entities(tx: Tx) -> dict[str, int]:
    counted = select(link.c.entity, func.count()).group_by(link.c.entity)
    return dict(tx.execute(counted.order_by(link.c.entity)).all())


def _writes(tx: Tx, since: datetime) -> dict[str, int]:
    """Count the writes since then by connection, among the newest attempts alone."""
    newest = select(func.coalesce(func.max(attempt.c.number), 0)).scalar_subquery()
    counted = select(attempt.c.connection, func.count()).where(
        attempt.c.number > newest - _RECENT_ATTEMPTS, attempt.c.opened_at > since
    )
    return dict(tx.execute(counted.group_by(attempt.c.connection)).all())


_RECENT_ATTEMPTS = 5000
"""More than a minute sees. There is no index by time alone, so only these rows are looked at."""


def ping(tx: Tx) -> None:
    """Check that the database answers."""
    tx.execute(select(1))
