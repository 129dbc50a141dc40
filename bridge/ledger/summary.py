"""The counts that `bridge status` and `/metrics` show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text

from bridge.ledger import (
    census,
    conflict_log,
    connection_health,
    gauges,
    parking,
    run_records,
    work,
)
from bridge.ledger.census import RecordCounts
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Tx
from bridge.ledger.gauges import AccountMetric
from bridge.ledger.parking import ParkedGroup
from bridge.ledger.run_records import RunRow
from bridge.ledger.tables import attempt, create_intent, link
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
    counted_at: datetime | None
    """When tickets, sides and webhooks were counted, the older time; None: just now."""
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
    records: RecordCounts


def summary(tx: Tx, now: datetime) -> Status:
    """Count everything; tickets, sides and webhooks of a large ledger were counted a while ago."""
    paused = select(func.count()).select_from(link).where(text("link.paused = true"))
    open_attempts = select(func.count()).select_from(attempt).where(attempt.c.closed_at.is_(None))
    records, webhooks = census.records(tx, now), census.webhooks(tx, now)
    return Status(
        links=sum(records.by_entity.values()),
        entities=records.by_entity,
        paused=tx.execute(paused).scalar_one(),
        sides=records.by_connection,
        counted_at=min((at for at in (records.at, webhooks.at) if at), default=None),
        backlog=work.backlog(tx, now),
        inbox=webhooks.inbox,
        conflicts_open=conflict_log.count_open(tx),
        attempts_open=tx.execute(open_attempts).scalar_one(),
        intents_open=open_creates(tx),
        health=connection_health.by_name(tx),
        runs=run_records.recent(tx),
        account=webhooks.account,
        lanes=work.by_lane(tx),
        parked=parking.groups(tx),
        waiting=work.waiting(tx, now),
        account_metrics=gauges.account_metrics(tx),
        writes=_writes(tx, now - timedelta(minutes=1)),
        records=records,
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
