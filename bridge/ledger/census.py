"""The census: how many tickets, records and webhooks there are.

To count takes time that grows with the ledger. So of a large one the counts are kept, with the time
of counting, and the clock renews them now and then; a small one is counted whenever somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select

from bridge.ledger import webhook_inbox
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import census, inbox, link, side
from bridge.ledger.webhook_inbox import WebhookAccount

LARGE: Final = 20_000
"""So many rows can be counted whenever somebody asks. Numbers ever given count as rows."""
RENEWED_EVERY: Final = timedelta(minutes=10)
VALID_FOR: Final = timedelta(minutes=30)
"""Older counts are not used: no clock renews them."""


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """How many tickets and live records there are."""

    tickets: list[tuple[str, str, int]]
    """By sync and entity."""
    sides: list[tuple[str, str, int]]
    """By sync and connection."""
    at: datetime | None = None
    """When they were counted; None: just now."""

    @property
    def by_entity(self) -> dict[str, int]:
        """Return the number of tickets by entity."""
        return _added_up((entity, count) for _sync, entity, count in self.tickets)

    @property
    def by_connection(self) -> dict[str, int]:
        """Return the number of live records by connection."""
        return _added_up((connection, count) for _sync, connection, count in self.sides)


@dataclass(frozen=True, slots=True)
class WebhookCounts:
    """How many webhooks there are, and what became of all that ever came."""

    inbox: dict[str, int]
    """Those that are kept, by verdict."""
    account: WebhookAccount
    at: datetime | None = None
    """When they were counted; None: just now."""


def records(tx: Tx, now: datetime) -> RecordCounts:
    """Return the counts of records: of a large ledger the kept ones, if they are valid."""
    kept = _kept(tx, _RECORDS, now, VALID_FOR)
    if kept is None:
        return count_records(tx)
    counts, at = kept
    return RecordCounts(_rows(counts["tickets"]), _rows(counts["sides"]), at)


def webhooks(tx: Tx, now: datetime) -> WebhookCounts:
    """Return the counts of webhooks: of a large inbox the kept ones, if they are valid."""
    kept = _kept(tx, _WEBHOOKS, now, VALID_FOR)
    if kept is None:
        return WebhookCounts(webhook_inbox.counts(tx), webhook_inbox.account(tx))
    counts, at = kept
    return WebhookCounts(counts["inbox"], WebhookAccount(**counts["account"]), at)


def count_records(tx: Tx) -> RecordCounts:
    """Count the tickets and the live records, however long it takes."""
    of, member = (link.c.sync, link.c.entity), (link.c.sync, side.c.connection)
    tickets = select(*of, func.count()).group_by(*of).order_by(*of)
    sides = select(*member, func.count()).group_by(*member).order_by(*member)
    sides = sides.join_from(side, link, link.c.id == side.c.link_id)
    live = sides.where(side.c.tombstone.is_(False))
    return RecordCounts(_rows(tx.execute(tickets)), _rows(tx.execute(live)))


def has_records(tx: Tx, connection: str) -> bool:
    """Return whether any live record of a connection is known; that takes no counting."""
    of = select(side.c.id).where(side.c.connection == connection, side.c.tombstone.is_(False))
    return tx.execute(of.limit(1)).first() is not None


def count_due(tx: Tx, now: datetime) -> dict[str, dict[str, Any]]:
    """Count what is large and was not counted lately; return the counts for `keep`."""
    return {
        name: part.count(tx)
        for name, part in _PARTS.items()
        if part.is_large(tx) and _kept(tx, name, now, RENEWED_EVERY) is None
    }


def keep(tx: Tx, counts: Mapping[str, Mapping[str, Any]], at: datetime) -> None:
    """Keep counts that were made at that time."""
    for name, counted in counts.items():
        changes = {"at": at, "counts": dict(counted)}
        statement = insert(tx, census).values(name=name, **changes)
        tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changes))


def forget(tx: Tx) -> None:
    """Forget the kept counts: what is counted goes by other names now."""
    tx.execute(delete(census))


@dataclass(frozen=True, slots=True)
class _Part:
    rows: ColumnElement[int]
    """At least as many as there are."""
    count: Callable[[Tx], dict[str, Any]]

    def is_large(self, tx: Tx) -> bool:
        return (tx.execute(select(self.rows)).scalar() or 0) > LARGE


def _kept(
    tx: Tx, name: str, now: datetime, valid_for: timedelta
) -> tuple[dict[str, Any], datetime] | None:
    row = tx.execute(select(census).where(census.c.name == name)).first()
    # Either way, for another machine's clock may be ahead.
    if row is None or abs(now - row.at) >= valid_for or not _PARTS[name].is_large(tx):
        return None
    return row.counts, row.at


def _records(tx: Tx) -> dict[str, Any]:
    counted = count_records(tx)
    return {"tickets": counted.tickets, "sides": counted.sides}


def _webhooks(tx: Tx) -> dict[str, Any]:
    account = webhook_inbox.account(tx)
    fields = {name: getattr(account, name) for name in ("accepted", "verdicts", "in_flight")}
    return {"inbox": webhook_inbox.counts(tx), "account": fields}


def _rows(rows: Any) -> list[tuple[str, str, int]]:
    return [(sync, of, count) for sync, of, count in rows]


def _added_up(rows: Any) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, count in rows:
        found[name] += count
    return dict(sorted(found.items()))


_RECORDS: Final = "records"
_WEBHOOKS: Final = "webhooks"
_LAST_SIDE = select(func.max(side.c.id)).scalar_subquery()
_LAST_WEBHOOK = select(func.max(inbox.c.id)).scalar_subquery()
_FIRST_WEBHOOK = select(func.min(inbox.c.id)).scalar_subquery()
_PARTS: Final = {
    _RECORDS: _Part(_LAST_SIDE, _records),
    _WEBHOOKS: _Part(_LAST_WEBHOOK - _FIRST_WEBHOOK, _webhooks),
}
