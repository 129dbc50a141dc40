"""Webhooks that were refused within a day, as counts: why, since when, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.core.model.outcome_codes import Code, of_refusal
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.ledger import refused_webhooks
from bridge.ledger.database import Tx
from bridge.ledger.refused_webhooks import RefusedWebhooks
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class RefusedDeliveries:
    """The refusals of one connection for one reason; they left nothing else behind."""

    connection: str
    """Empty: they came to addresses that belong to no connection."""
    code: Code
    why: str
    do: str
    count: int
    since: datetime
    last: datetime
    """Counted by the minute, as `since` is."""
    over: bool
    """A genuine one came after them: it is mended."""


def within_a_day(desk: Desk) -> list[RefusedDeliveries]:
    """Return what was refused, the last first."""
    with desk.ledger.read() as tx:
        return lately(tx, desk.now())


def lately(tx: Tx, now: datetime) -> list[RefusedDeliveries]:
    """Return what was refused within a day, the last first."""
    found = [_told(row, over=over) for row, over in refused_webhooks.lately(tx, now)]
    return sorted(found, key=lambda each: each.last, reverse=True)


def _told(row: RefusedWebhooks, *, over: bool) -> RefusedDeliveries:
    code = of_refusal(row.reason)
    why, do = MEANINGS[code].title, MEANINGS[code].do
    return RefusedDeliveries(
        row.connection, code, why, do, row.count, row.since, row.last, over=over
    )
