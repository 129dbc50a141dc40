"""Attempts: each write is stored before it is sent, and closed by what was read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Text, func, or_, select, true, update
from sqlalchemy.sql.dml import ReturningInsert, Update

from bridge.core.model.state import Side
from bridge.errors import LeaseLost
from bridge.ledger import link_leases
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.json_rows import Rows
from bridge.ledger.tables import attempt


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """A write that is about to be sent; see `core.model.state.Attempt`."""

    id: str
    link_id: str
    side_id: int
    connection: str
    verb: str
    detail: str
    """The whole of it, encoded."""
    send_by: datetime
    opened_at: datetime
    destructive: int = 0
    run_id: int | None = None
    mapping_revision: int | None = None
    """The revision of the mappings by which it was decided; None: that has no number."""


@dataclass(frozen=True, slots=True)
class ClosedAttempt:
    """What became of a write."""

    id: str
    closed_at: datetime
    outcome: str
    read_back: dict[str, Any] | None = None
    """What its fields read as afterwards; None: nobody has looked."""
    latency_ms: int | None = None


def new(
    link_id: str,
    side: Side,
    now: datetime,
    *,
    destructive: int = 0,
    run_id: int | None = None,
    mapping_revision: int | None = None,
) -> NewAttempt:
    """Return the side's attempt as it is opened."""
    if side.attempt is None or not side.id:
        raise ValueError("the side has no attempt to store, or is not stored itself yet")
    return NewAttempt(
        side.attempt.id,
        link_id,
        int(side.id),
        side.connection,
        side.attempt.verb,
        link_leases.attempt_text(side.attempt),
        side.attempt.send_by,
        now,
        destructive,
        run_id,
        mapping_revision,
    )


def begin(tx: Tx, opened: Sequence[NewAttempt]) -> None:
    """Store attempts. Raises LeaseLost while another one of one of the sides is open."""
    if not opened:
        return
    rows = map(attrgetter(*_COLUMNS), opened)
    stored = set(tx.execute(_begin(tx.dialect.name), _OPENED.given(tx, rows)).scalars())
    if under_way := [each for each in opened if each.id not in stored]:
        raise LeaseLost(
            f"another write to the {under_way[0].connection} side of link {under_way[0].link_id} "
            "is under way; nothing was sent"
        )


def close(tx: Tx, closed: Sequence[ClosedAttempt]) -> int:
    """Close attempts with their outcomes; return how many had not been closed before."""
    if not closed:
        return 0
    rows = map(attrgetter("id", *_OUTCOME), closed)
    return tx.execute(_close(tx.dialect.name), _CLOSED.given(tx, rows)).rowcount


def history(tx: Tx, link_id: str) -> list[dict[str, Any]]:
    """Return a link's attempts in order: what was sent, when, and the outcome."""
    columns = (
        attempt.c.id,
        attempt.c.connection,
        attempt.c.verb,
        attempt.c.detail,
        attempt.c.send_by,
        attempt.c.destructive,
        attempt.c.opened_at,
        attempt.c.closed_at,
        attempt.c.outcome,
        attempt.c.read_back,
        attempt.c.latency_ms,
        attempt.c.mapping_revision,
    )
    ordered = select(*columns).where(attempt.c.link_id == link_id).order_by(attempt.c.number)
    return [dict(row) for row in tx.execute(ordered).mappings()]


def last_begun(tx: Tx, link_id: str, side: Side) -> datetime | None:
    """Return when the side's newest attempt was begun; None when it has none."""
    of_side = (attempt.c.link_id == link_id, attempt.c.side_id == int(side.id))
    newest: datetime | None = tx.execute(
        select(func.max(attempt.c.opened_at)).where(*of_side)
    ).scalar_one()
    return newest


def count_destructive(tx: Tx, connection: str, since: datetime) -> int:
    """Count the destructive changes sent to a connection since then, without refused ones.

    A record that was written several times is counted once, by the attempt that destroys most.
    """
    by_side = select(func.max(attempt.c.destructive).label("most")).where(
        attempt.c.connection == connection,
        attempt.c.opened_at > since,
        attempt.c.destructive > 0,
        or_(attempt.c.outcome.is_(None), attempt.c.outcome != "refused"),
    )
    sides = by_side.group_by(attempt.c.side_id).subquery()
    return int(tx.execute(select(func.coalesce(func.sum(sides.c.most), 0))).scalar_one())


_COLUMNS = (
    "id",
    "link_id",
    "side_id",
    "connection",
    "verb",
    "detail",
    "send_by",
    "opened_at",
    "destructive",
    "run_id",
    "mapping_revision",
)
_OPENED = Rows.like(attempt, *_COLUMNS, detail=Text())
_OUTCOME = ("closed_at", "outcome", "read_back", "latency_ms")
_CLOSED = Rows.like(attempt, "id", *_OUTCOME)


@cache
def _begin(dialect: str) -> ReturningInsert[Any]:
    new = _OPENED.table(dialect)
    rows = select(*new.c, new.c.detail.label("remaining")).where(true())
    stored = insert_for(dialect, attempt).from_select([*new.c.keys(), "remaining"], rows)
    return stored.on_conflict_do_nothing().returning(attempt.c.id)


@cache
def _close(dialect: str) -> Update:
    new = _CLOSED.table(dialect)
    values: dict[str, Any] = {name: new.c[name] for name in _OUTCOME}
    values["remaining"] = {}
    still_open = (attempt.c.id == new.c.id, attempt.c.closed_at.is_(None))
    return update(attempt).where(*still_open).values(values)
