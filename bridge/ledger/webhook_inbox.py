"""The inbox: every accepted webhook, once for each delivery key, with its verdict.

Each webhook ends with exactly one verdict. Arrivals are counted when they are stored, verdicts by
looking at the rows (and counted when rows are deleted). So `account` compares two counts that are
made independently of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, literal, select, text, union_all, update
from sqlalchemy.sql.dml import ReturningInsert

from bridge.ledger.database import Tx, insert_for
from bridge.ledger.tables import inbox, tally

PENDING = "pending"
VERDICTS = (PENDING, "applied", "no-op", "echo", "out of scope", "ignored", "quarantined", "parked")
"""A webhook is pending, or has one of the final verdicts."""
ACCEPTED = "accepted"
"""The tally of arrivals."""
PRUNED = "verdict:"
"""The prefix of the tallies of deleted rows."""


@dataclass(frozen=True, slots=True)
class WebhookAccount:
    """All webhooks that ever came and their verdicts; none is lost while `balanced`."""

    accepted: int = 0
    """Stored since the ledger was made, each delivery key once."""
    verdicts: dict[str, int] = field(default_factory=dict)
    """By final verdict, those of deleted rows included."""
    in_flight: int = 0
    """Accepted, without a final verdict yet."""

    @property
    def missing(self) -> int:
        """The number that have disappeared (below 0: that were never counted as accepted)."""
        return self.accepted - sum(self.verdicts.values()) - self.in_flight

    @property
    def balanced(self) -> bool:
        """True if accepted = all verdicts + in flight."""
        return self.missing == 0

    def __str__(self) -> str:
        """Return the account in one line."""
        verdicts = " + ".join(
            f"{number} {verdict}" for verdict, number in sorted(self.verdicts.items())
        )
        line = f"{self.accepted} accepted = {verdicts or '0 settled'} + {self.in_flight} in flight"
        return line if self.balanced else f"{line}: {self.missing} MISSING"


def accept(
    tx: Tx,
    *,
    connection: str,
    delivery_key: str,
    received_at: datetime,
    headers: Mapping[str, str],
    projection: Mapping[str, Any],
    digest: str,
    event: str,
    entity: str | None,
    remote_id: str | None,
    verdict: str = PENDING,
    why: str = "",
    body: str | None = None,
    lasts: timedelta | None = None,
) -> tuple[int, bool]:
    """Store a delivery; return its row's id, and False when it repeats an earlier one.

    With `lasts`, one with the same key that came longer ago than that is another delivery.
    """
    key = (
        delivery_key if lasts is None else _within(tx, connection, delivery_key, received_at, lasts)
    )
    row = tx.execute(
        _accept(tx.dialect.name),
        {
            "connection": connection,
            "delivery_key": key,
            "received_at": received_at,
            "deliveries": 1,
            "headers": dict(headers),
            "projection": dict(projection),
            "digest": digest,
            "event": event,
            "entity": entity,
            "remote_id": remote_id,
            "verdict": verdict,
            "why": why,
            "settled_at": None if verdict == PENDING else received_at,
            "body": body,
        },
    ).one()
    if row.deliveries == 1:
        _count(tx, ACCEPTED, 1)
    return row.id, row.deliveries == 1


def _within(tx: Tx, connection: str, key: str, at: datetime, lasts: timedelta) -> str:
    """Return the key under which a delivery is stored that is the same for a while only.

    That of the last such one, if it came lately enough; else that of the present stretch of time.
    """
    stretch = int(at.timestamp() / lasts.total_seconds())
    before, present = f"{key}:{stretch - 1}", f"{key}:{stretch}"
    known = (
        select(inbox.c.id)
        .where(inbox.c.connection == connection, inbox.c.delivery_key == before)
        .where(inbox.c.received_at > at - lasts)
    )
    return before if tx.execute(known).first() else present


@cache
def _accept(dialect: str) -> ReturningInsert[tuple[int, int]]:
    repeat = insert_for(dialect, inbox).on_conflict_do_update(
        index_elements=["connection", "delivery_key"], set_={"deliveries": inbox.c.deliveries + 1}
    )
    return repeat.returning(inbox.c.id, inbox.c.deliveries)


def last_pending(tx: Tx, connection: str, entity: str, remote_id: str) -> int:
    """Return the id of the newest pending webhook for a record; 0 when there is none."""
    key = {"of_connection": connection, "of_entity": entity, "of_id": remote_id}
    return tx.execute(_LAST_PENDING, key).scalar() or 0


def set_verdict(
    tx: Tx,
    connection: str,
    entity: str,
    remote_id: str,
    upto: int,
    verdict: str,
    why: str,
    at: datetime,
) -> int:
    """Set the verdict of the pending webhooks for a record up to that id; return how many."""
    key = {"of_connection": connection, "of_entity": entity, "of_id": remote_id, "upto": upto}
    verdict_set = {"new_verdict": verdict, "new_why": why, "when": at}
    return tx.execute(_SET_VERDICT, key | verdict_set).rowcount


def counts(tx: Tx) -> dict[str, int]:
    """Count the webhooks by verdict."""
    counted = select(inbox.c.verdict, func.count()).group_by(inbox.c.verdict)
    return dict(tx.execute(counted).all())


def recent(
    tx: Tx,
    *,
    verdict: str | None = None,
    connection: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Return webhooks, newest first; `before` goes on from an id."""
    statement = select(inbox).order_by(inbox.c.id.desc()).limit(limit)
    if connection is not None:
        statement = statement.where(inbox.c.connection == connection)
    if verdict is not None:
        statement = statement.where(inbox.c.verdict == verdict)
    if before is not None:
        statement = statement.where(inbox.c.id < before)
    return [dict(row) for row in tx.execute(statement).mappings()]


def get(tx: Tx, row_id: int) -> dict[str, Any] | None:
    """Return one webhook."""
    row = tx.execute(select(inbox).where(inbox.c.id == row_id)).mappings().first()
    return None if row is None else dict(row)


def account(tx: Tx) -> WebhookAccount:
    """Add up what became of every accepted webhook, as of one moment."""
    rows = select(literal("").label("source"), inbox.c.verdict, func.count()).group_by(
        inbox.c.verdict
    )
    # One statement, one snapshot: two statements would differ by what arrives in between.
    tallies = select(literal("tally"), tally.c.name, tally.c.value)
    counted = tx.execute(union_all(rows, tallies)).all()
    verdicts: Counter[str] = Counter()
    accepted = in_flight = 0
    for source, name, number in counted:
        if source == "":
            if name == PENDING:
                in_flight = number
            else:
                verdicts[name] += number
        elif name == ACCEPTED:
            accepted = number
        elif name.startswith(PRUNED):
            verdicts[name.removeprefix(PRUNED)] += number
    return WebhookAccount(accepted, dict(verdicts), in_flight)


def prune(tx: Tx, before: datetime) -> int:
    """Delete settled webhooks received before that time; their verdicts stay counted."""
    old = (
        delete(inbox)
        .where(inbox.c.received_at < before, inbox.c.verdict != PENDING)
        .returning(inbox.c.verdict)
    )
    deleted = Counter(tx.execute(old).scalars())
    for verdict, number in sorted(deleted.items()):
        _count(tx, f"{PRUNED}{verdict}", number)
    return deleted.total()


def _count(tx: Tx, name: str, number: int) -> None:
    tx.execute(_add(tx.dialect.name), {"name": name, "value": number})


@cache
def _add(dialect: str) -> Any:
    statement = insert_for(dialect, tally)
    return statement.on_conflict_do_update(
        index_elements=["name"], set_={"value": tally.c.value + statement.excluded.value}
    )


_PENDING = and_(
    inbox.c.connection == bindparam("of_connection"),
    inbox.c.entity == bindparam("of_entity"),
    inbox.c.remote_id == bindparam("of_id"),
    # A literal, so that both databases can use the partial index.
    inbox.c.verdict == text("'pending'"),
)
_LAST_PENDING = select(func.max(inbox.c.id)).where(_PENDING)
_SET_VERDICT = (
    update(inbox)
    .where(_PENDING, inbox.c.id <= bindparam("upto"))
    .values(
        verdict=bindparam("new_verdict"), why=bindparam("new_why"), settled_at=bindparam("when")
    )
)
