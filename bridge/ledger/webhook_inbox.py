"""The inbox: every accepted webhook, once for each delivery key, with its verdict.

Each webhook ends with exactly one verdict. Arrivals are counted when they are stored, verdicts by
looking at the rows (and counted when rows are deleted). So `account` compares two counts that are
made independently of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert, Update

from bridge.core.model.values import Ref
from bridge.ledger import json_rows
from bridge.ledger.database import Tx, insert_for, one_of
from bridge.ledger.json_rows import Rows
from bridge.ledger.tables import inbox, tally
from bridge.ledger.value_codec import storable

PENDING = "pending"
VERDICTS = (PENDING, "applied", "no-op", "echo", "out of scope", "ignored", "quarantined", "parked")
VERDICT_WORDS = {
    "echo": "of our own writes",
    "no-op": "without a change for us",
    "quarantined": "not understood",
}
"""Verdicts whose names people do not know, in words; all others are words already."""
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
            f"{number} {VERDICT_WORDS.get(verdict, verdict)}"
            for verdict, number in sorted(self.verdicts.items())
        )
        line = f"{self.accepted} accepted = {verdicts or '0 settled'} + {self.in_flight} in flight"
        return line if self.balanced else f"{line}: {self.missing} MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A webhook that was received."""

    connection: str
    delivery_key: str
    received_at: datetime
    headers: Mapping[str, str]
    projection: Mapping[str, Any]
    digest: str
    event: str
    entity: str | None
    remote_id: str | None
    verdict: str = PENDING
    why: str = ""
    body: str | None = None
    lasts: timedelta | None = None
    """One with the same key that came longer ago than that is another delivery; None: never."""


def accept(tx: Tx, **arrival: Any) -> tuple[int, bool]:
    """Store one delivery, as `accept_all` does."""
    (stored,) = accept_all(tx, [Arrival(**arrival)])
    return stored


def accept_all(tx: Tx, arrivals: Sequence[Arrival]) -> list[tuple[int, bool]]:
    """Store deliveries in the order in which they came, by one statement.

    Return of each its row's id, and False when it repeats an earlier one.
    """
    keys = _keys(tx, arrivals)
    numbers = Counter(keys)
    firsts = dict(zip(reversed(keys), reversed(arrivals), strict=True))
    # Sorted, so that two transactions with the same webhooks do not deadlock.
    rows = [_values(*key, firsts[key], numbers[key]) for key in sorted(firsts)]
    stored = {
        (row.connection, row.delivery_key): row
        for row in tx.execute(
            _accept(tx.dialect.name), json_rows.encoded(tx.dialect.name, _ARRIVED, rows)
        )
    }
    new = {key for key, row in stored.items() if row.deliveries == numbers[key]}
    if new:
        _count(tx, ACCEPTED, len(new))
    receipts = []
    for key in keys:
        receipts.append((stored[key].id, key in new))
        new.discard(key)
    return receipts


def _keys(tx: Tx, arrivals: Sequence[Arrival]) -> list[tuple[str, str]]:
    """Return of each its connection and the key under which it is stored.

    Of a delivery that is the same for a while only, that is the key of the last such one, if it
    came lately enough; else that of the present stretch of time.
    """
    stretches = [_stretches(new) for new in arrivals]
    came_at = _came_at(tx, arrivals, stretches)
    keys = []
    for new, (before, present) in zip(arrivals, stretches, strict=True):
        connection, key = storable(new.connection), present
        last = came_at.get((connection, before))
        if new.lasts is not None and last is not None and last > new.received_at - new.lasts:
            key = before
        came_at.setdefault((connection, key), new.received_at)
        keys.append((connection, key))
    return keys


def _stretches(new: Arrival) -> tuple[str, str]:
    """Return the keys of the stretch of time before the present one, and of the present."""
    key = storable(new.delivery_key)
    if new.lasts is None:
        return key, key
    stretch = int(new.received_at.timestamp() / new.lasts.total_seconds())
    return f"{key}:{stretch - 1}", f"{key}:{stretch}"


def _came_at(
    tx: Tx, arrivals: Sequence[Arrival], stretches: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    """Return when the deliveries came that are stored under keys of the stretch before."""
    asked: dict[str, list[str]] = {}
    for new, (before, _present) in zip(arrivals, stretches, strict=True):
        if new.lasts is not None:
            asked.setdefault(storable(new.connection), []).append(before)
    return {
        (connection, row.delivery_key): row.received_at
        for connection, names in sorted(asked.items())
        for row in tx.execute(_known(tx.dialect.name), {"of": connection, "ids": names})
    }


def _values(connection: str, key: str, first: Arrival, number: int) -> tuple[Any, ...]:
    """Return a row, in the order of `_ARRIVED`."""
    return (
        connection,
        key,
        first.received_at,
        number,
        first.headers,
        first.projection,
        first.digest,
        first.event,
        first.entity,
        first.remote_id,
        first.verdict,
        first.why,
        None if first.verdict == PENDING else first.received_at,
        first.body,
    )


_ARRIVED = (
    *(inbox.c.connection, inbox.c.delivery_key, inbox.c.received_at, inbox.c.deliveries),
    *(inbox.c.headers, inbox.c.projection, inbox.c.digest, inbox.c.event, inbox.c.entity),
    *(inbox.c.remote_id, inbox.c.verdict, inbox.c.why, inbox.c.settled_at, inbox.c.body),
)


@cache
def _known(dialect: str) -> Select[Any]:
    of = inbox.c.connection == bindparam("of")
    return select(inbox.c.delivery_key, inbox.c.received_at).where(
        of, one_of(dialect, inbox.c.delivery_key)
    )


@cache
def _accept(dialect: str) -> ReturningInsert[Any]:
    rows = json_rows.select_rows(dialect, _ARRIVED)
    statement = insert_for(dialect, inbox).from_select(_ARRIVED, rows)
    repeats = inbox.c.deliveries + statement.excluded.deliveries
    return statement.on_conflict_do_update(
        index_elements=["connection", "delivery_key"], set_={"deliveries": repeats}
    ).returning(inbox.c.id, inbox.c.connection, inbox.c.delivery_key, inbox.c.deliveries)


def last_pending(tx: Tx, connection: str, entity: str, remote_id: str) -> int:
    """Return the id of the newest pending webhook for a record; 0 when there is none."""
    key = {"of_connection": connection, "of_entity": entity, "of_id": remote_id}
    return tx.execute(_LAST_PENDING, key).scalar() or 0


@dataclass(frozen=True, slots=True)
class Answered:
    """The verdict on the pending webhooks for a record, up to one."""

    ref: Ref
    upto: int
    verdict: str
    why: str
    at: datetime


def answer(tx: Tx, answered: Iterable[Answered]) -> int:
    """Give pending webhooks their verdict; return how many."""
    rows = [
        (
            *(each.ref.connection, each.ref.entity, each.ref.id, each.upto),
            *(each.verdict, each.why, each.at),
        )
        for each in answered
    ]
    if not rows:
        return 0
    return tx.execute(_answer(tx.dialect.name), _ANSWERED.given(tx, rows)).rowcount


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


def page(
    tx: Tx,
    *,
    verdict: str | None = None,
    connection: str | None = None,
    remote_id: str | None = None,
    before: int | None = None,
    limit: int,
    within: int,
) -> tuple[list[dict[str, Any]], int | None]:
    """Return webhooks, newest first, and from before which id it goes on; None: that was all.

    So many `within` are looked at, however few of them fit.
    """
    if before is None:
        before = 1 + (tx.execute(select(func.max(inbox.c.id))).scalar() or 0)
    wanted = {"verdict": verdict, "connection": connection, "remote_id": remote_id}
    fits = [inbox.c[name] == value for name, value in wanted.items() if value is not None]
    looked_at = (inbox.c.id < before, inbox.c.id >= before - within)
    statement = select(inbox).where(*looked_at, *fits).order_by(inbox.c.id.desc())
    rows = [dict(row) for row in tx.execute(statement.limit(limit + 1)).mappings()]
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1]["id"]
    older = select(inbox.c.id).where(inbox.c.id < before - within).order_by(inbox.c.id.desc())
    newest = tx.execute(older.limit(1)).scalar()
    return rows, None if newest is None else newest + 1


def last_of(tx: Tx, connection: str, within: int) -> datetime | None:
    """Return when a connection's last webhook came; None: it is not among so many of the newest."""
    newest = select(func.coalesce(func.max(inbox.c.id), 0)).scalar_subquery()
    rows = select(inbox.c.received_at).where(
        inbox.c.id > newest - within, inbox.c.connection == connection
    )
    return tx.execute(rows.order_by(inbox.c.id.desc()).limit(1)).scalar()


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
_ANSWERED = Rows(
    connection=inbox.c.connection.type,
    entity=inbox.c.entity.type,
    remote_id=inbox.c.remote_id.type,
    upto=inbox.c.id.type,
    verdict=inbox.c.verdict.type,
    why=inbox.c.why.type,
    settled_at=inbox.c.settled_at.type,
)


@cache
def _answer(dialect: str) -> Update:
    new = _ANSWERED.table(dialect)
    concerned = (
        inbox.c.connection == new.c.connection,
        inbox.c.entity == new.c.entity,
        inbox.c.remote_id == new.c.remote_id,
        inbox.c.verdict == text("'pending'"),
        inbox.c.id <= new.c.upto,
    )
    values = {name: new.c[name] for name in ("verdict", "why", "settled_at")}
    return update(inbox).where(*concerned).values(values)
