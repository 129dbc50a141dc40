"""The figures that `bridge status` and the readiness check show."""

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
from bridge.ledger.gauges import Figure
from bridge.ledger.parking import ParkedGroup
from bridge.ledger.run_records import RunRow
from bridge.ledger.tables import attempt, create_intent, link, side
from bridge.ledger.webhook_inbox import WebhookAccount


@dataclass(frozen=True, slots=True)
class Status:
    """The ledger at a glance."""

    links: int
    entities: dict[str, int]
    """The same by entity: a ticket is one, and so is a customer."""
    paused: int
    """Links to whose records nothing is written until somebody lets them go on."""
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
    """Whether every accepted webhook is accounted for."""
    lanes: dict[str, int]
    """Outstanding work by lane."""
    parked: list[ParkedGroup]
    """What is set aside, by cause and connection."""
    waiting: dict[str, datetime]
    """For each connection with due work, since when the oldest of it waits: the lag."""
    figures: list[Figure]
    writes: dict[str, int]
    """Writes of the last minute, by connection."""


def summary(tx: Tx, now: datetime) -> Status:
    """Collect the figures."""
    live = (
        select(side.c.connection, func.count())
        .where(side.c.tombstone.is_(False))
        .group_by(side.c.connection)
    )
    unsettled = select(func.count()).select_from(attempt).where(attempt.c.closed_at.is_(None))
    entities = _entities(tx)
    return Status(
        links=sum(entities.values()),
        entities=entities,
        paused=tx.execute(select(func.count()).select_from(link).where(link.c.paused)).scalar_one(),
        sides=dict(tx.execute(live.order_by(side.c.connection)).all()),
        backlog=work.backlog(tx, now),
        inbox=webhook_inbox.counts(tx),
        conflicts_open=conflict_log.count_open(tx),
        attempts_open=tx.execute(unsettled).scalar_one(),
        intents_open=open_creates(tx),
        health=connection_health.by_name(tx),
        runs=run_records.recent(tx),
        account=webhook_inbox.account(tx),
        lanes=work.by_lane(tx),
        parked=parking.groups(tx),
        waiting=work.waiting(tx, now),
        figures=gauges.figures(tx),
        writes=_writes(tx, now - timedelta(minutes=1)),
    )


def called(tx: Tx, found: Status) -> set[str]:
    """Give the connections that were called at least once, as far as the ledger knows."""
    return {
        *found.sides,
        *found.health,
        *(each.connection for each in found.figures),
        *run_records.callers(tx),
    }


def open_creates(tx: Tx) -> int:
    """Count the creates whose outcome is not known yet."""
    found = (
        select(func.count()).select_from(create_intent).where(create_intent.c.closed_at.is_(None))
    )
    return tx.execute(found).scalar_one()


def _entities(tx: Tx) -> dict[str, int]:
    found = select(link.c.entity, func.count()).group_by(link.c.entity)
    return dict(tx.execute(found.order_by(link.c.entity)).all())


def _writes(tx: Tx, since: datetime) -> dict[str, int]:
    """Count writes by connection among the newest there are: nobody writes more than that in a minute."""
    newest = select(func.coalesce(func.max(attempt.c.number), 0)).scalar_subquery()
    found = select(attempt.c.connection, func.count()).where(
        attempt.c.number > newest - _MANY, attempt.c.opened_at > since
    )
    return dict(tx.execute(found.group_by(attempt.c.connection)).all())


_MANY = 5000


def ping(tx: Tx) -> None:
    """Ask the database for an answer, no more."""
    tx.execute(select(1))
