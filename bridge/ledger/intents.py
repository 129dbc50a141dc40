"""Intents: creates under way, at most one for a link and connection, each with its marker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, bindparam, exists, func, select, update
from sqlalchemy.sql.dml import ReturningInsert, Update

from bridge.errors import LeaseLost
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.json_rows import Rows
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


@dataclass(frozen=True, slots=True)
class NewIntent:
    """A create that is about to be sent, with the lease of its link in hand."""

    link_id: str
    connection: str
    entity: str
    marker: str
    draft: dict[str, Any]
    send_by: datetime
    opened_at: datetime
    run_id: int | None = None
    mapping_revision: int | None = None
    """The revision of the mappings by which it was decided; None: that has no number."""


@dataclass(frozen=True, slots=True)
class ClosedIntent:
    """What became of a create."""

    marker: str
    closed_at: datetime
    outcome: str
    remote_id: str | None = None
    """The record that it made."""


def begin_all(tx: Tx, opened: Sequence[NewIntent]) -> None:
    """Store intents.

    Raises LeaseLost where one is open already, or the link has a side there, even a deleted one.
    """
    if not opened:
        return
    if tx.dialect.name != "sqlite":  # with its one writer
        tx.execute(_LOCK_LINKS, {"ids": sorted({each.link_id for each in opened})})
    rows = [
        (
            each.marker,
            each.link_id,
            each.connection,
            each.entity,
            each.draft,
            each.send_by,
            each.opened_at,
            each.run_id,
            each.mapping_revision,
        )
        for each in opened
    ]
    stored = set(tx.execute(_begin(tx.dialect.name), _OPENED.given(tx, rows)).scalars())
    if in_vain := [each for each in opened if each.marker not in stored]:
        raise LeaseLost(
            f"link {in_vain[0].link_id} has got a record on {in_vain[0].connection} meanwhile, "
            "or is about to; nothing was sent"
        )


def close_all(tx: Tx, closed: Sequence[ClosedIntent]) -> int:
    """Close intents with their outcomes; return how many had not been closed before."""
    if not closed:
        return 0
    rows = [(each.marker, each.closed_at, each.outcome, each.remote_id) for each in closed]
    return tx.execute(_close(tx.dialect.name), _CLOSED.given(tx, rows)).rowcount


def close(tx: Tx, marker: str, outcome: str, remote_id: str | None, now: datetime) -> bool:
    """Close one intent with its outcome; False when it was closed before."""
    return bool(close_all(tx, [ClosedIntent(marker, now, outcome, remote_id)]))


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
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_LOCK_LINKS = select(link.c.id).where(link.c.id.in_(_IDS)).order_by(link.c.id).with_for_update()
_COLUMNS = (
    *("marker", "link_id", "connection", "entity", "draft", "send_by", "opened_at", "run_id"),
    "mapping_revision",
)
_OPENED = Rows(**{name: create_intent.c[name].type for name in _COLUMNS})
_OUTCOME = ("closed_at", "outcome", "remote_id")
_CLOSED = Rows(**{name: create_intent.c[name].type for name in ("marker", *_OUTCOME)})


@cache
def _begin(dialect: str) -> ReturningInsert[Any]:
    new = _OPENED.table(dialect)
    is_there = exists().where(
        side.c.link_id == new.c.link_id, side.c.connection == new.c.connection
    )
    rows = select(*new.c).where(~is_there)
    stored = insert_for(dialect, create_intent).from_select(new.c.keys(), rows)
    return stored.on_conflict_do_nothing().returning(create_intent.c.marker)


@cache
def _close(dialect: str) -> Update:
    new = _CLOSED.table(dialect)
    still_open = (create_intent.c.marker == new.c.marker, create_intent.c.closed_at.is_(None))
    values = {name: new.c[name] for name in _OUTCOME}
    return update(create_intent).where(*still_open).values(values)


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
