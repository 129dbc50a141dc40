"""Intents: creates under way, at most one for a link and connection, each with its marker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.sql.dml import ReturningInsert

from bridge.ledger.database import Tx, insert_for
from bridge.ledger.tables import create_intent, link, side

UNANSWERED = "unanswered"
NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A create that was about to be sent and whose outcome is not known yet."""

    link_id: str
    connection: str
    entity: str
    marker: str
    draft: dict[str, Any]
    send_by: datetime
    unanswered: bool = False
    """It was sent and not answered. If False, the worker died before or while sending it."""


def begin(
    tx: Tx,
    *,
    link_id: str,
    connection: str,
    entity: str,
    marker: str,
    draft: dict[str, Any],
    send_by: datetime,
    now: datetime,
    run_id: int | None = None,
) -> bool:
    """Store an intent; False when one is open, or the link has a side there, even a deleted one."""
    place = {"of": link_id, "there": connection}
    if tx.dialect.name != "sqlite":  # with its one writer
        tx.execute(_LOCK_LINK, place)
    if tx.execute(_SIDE_THERE, place).first():
        return False
    values = {
        "marker": marker,
        "link_id": link_id,
        "connection": connection,
        "entity": entity,
        "draft": draft,
        "send_by": send_by,
        "opened_at": now,
        "run_id": run_id,
    }
    return tx.execute(_begin(tx.dialect.name), values).scalar() is not None


def close(tx: Tx, marker: str, outcome: str, remote_id: str | None, now: datetime) -> bool:
    """Close an intent with its outcome; False when it was closed before."""
    values = {"of": marker, "now": now, "became": outcome, "made": remote_id}
    return bool(tx.execute(_CLOSE, values).rowcount)


def by_marker(tx: Tx, marker: str) -> OpenIntent | None:
    """Return the open intent with this marker, if there is one."""
    row = tx.execute(
        select(create_intent).where(
            create_intent.c.marker == marker, create_intent.c.closed_at.is_(None)
        )
    ).first()
    return None if row is None else _intent(row)


def sibling_under_way(tx: Tx, connection: str, entity: str, parent_id: str | None) -> bool:
    """Return whether a create for the same ticket is open there: a new record may be its result."""
    if parent_id is None:
        return False
    family = select(link.c.id).where(link.c.parent_id == parent_id, link.c.entity == entity)
    under_way = select(create_intent.c.number).where(
        create_intent.c.link_id.in_(family),
        create_intent.c.connection == connection,
        create_intent.c.closed_at.is_(None),
    )
    return tx.execute(under_way.limit(1)).first() is not None


def is_open(tx: Tx, marker: str) -> bool:
    """Return whether a create with this marker is still open."""
    return by_marker(tx, marker) is not None


def is_on_record(tx: Tx, marker: str) -> bool:
    """Return whether a create with this marker was ever begun."""
    return tx.execute(_ON_RECORD, {"of": marker}).first() is not None


def made_another(tx: Tx, marker: str, remote_id: str) -> bool:
    """Return whether a create with this marker is known to have made another record."""
    made = tx.execute(_MADE, {"of": marker}).scalar()
    return made is not None and made != remote_id


def mark_unanswered(tx: Tx, marker: str) -> None:
    """Record that the create was sent and not answered."""
    open_intent = update(create_intent).where(
        create_intent.c.marker == marker, create_intent.c.closed_at.is_(None)
    )
    tx.execute(open_intent.values(outcome=UNANSWERED))


def failures(tx: Tx, link_id: str, connection: str) -> int:
    """Count the creates of a link on a connection that were sent and later not found there."""
    counted = select(func.count()).where(
        create_intent.c.link_id == link_id,
        create_intent.c.connection == connection,
        create_intent.c.outcome == NOT_FOUND,
    )
    return tx.execute(counted).scalar_one()


def made_at(tx: Tx, link_id: str, connection: str, remote_id: str) -> datetime | None:
    """Return when a record was made by us, as its answer was taken in; None: others made it."""
    made = select(create_intent.c.closed_at).where(
        create_intent.c.link_id == link_id,
        create_intent.c.connection == connection,
        create_intent.c.remote_id == remote_id,
    )
    return tx.execute(made.order_by(create_intent.c.number.desc()).limit(1)).scalar()


_ON_RECORD = select(create_intent.c.number).where(create_intent.c.marker == bindparam("of"))
_MADE = select(create_intent.c.remote_id).where(create_intent.c.marker == bindparam("of"))
_LOCK_LINK = select(link.c.id).where(link.c.id == bindparam("of")).with_for_update()
_SIDE_THERE = select(side.c.id).where(
    side.c.link_id == bindparam("of"), side.c.connection == bindparam("there")
)
_CLOSE = (
    update(create_intent)
    .where(create_intent.c.marker == bindparam("of"), create_intent.c.closed_at.is_(None))
    .values(closed_at=bindparam("now"), outcome=bindparam("became"), remote_id=bindparam("made"))
)


@cache
def _begin(dialect: str) -> ReturningInsert[tuple[int]]:
    return (
        insert_for(dialect, create_intent)
        .on_conflict_do_nothing()
        .returning(create_intent.c.number)
    )


def _intent(row: Any) -> OpenIntent:
    return OpenIntent(
        link_id=row.link_id,
        connection=row.connection,
        entity=row.entity,
        marker=row.marker,
        draft=row.draft,
        send_by=row.send_by,
        unanswered=row.outcome == UNANSWERED,
    )
