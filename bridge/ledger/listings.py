"""Sightings: what listings last showed of each record, so that unchanged rows are skipped.

A sighting keeps a fingerprint of the row that was compared, and its link's fence at that moment.
The fence is a number raised with each lease: a worker that comes with an older one stores nothing.
Every change of a link takes its lease and so raises its fence. A row with the same fingerprint, on
a link with the same fence, would therefore compare as it did before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert

from bridge.core.model.values import Ref
from bridge.ledger import json_rows
from bridge.ledger.database import Tx, insert_for, one_of
from bridge.ledger.tables import link, run, side, sighting, stray_copy, work

PAGE = 500
"""Unseen records returned at a time."""
MAX_FAILED_READS = 3
"""Reads that fail more often hold up nothing that waits for what a listing found."""


class LinkedRow(NamedTuple):
    """A linked record with its last sighting, if any. A tuple for speed: a listing has many."""

    remote_id: str
    side_id: int
    link_id: str
    fingerprint: str | None
    """The row's when it last needed nothing; None: never so, or its link has changed since."""
    day: int
    """The day (as an ordinal) on which the row was last compared field by field; 0: never."""
    fence: int | None
    """The link's present fence; None while its lease is held."""


def linked_rows(
    tx: Tx, connection: str, entity: str, remote_ids: Collection[str]
) -> dict[str, LinkedRow]:
    """Return the linked ones of these records, by remote id, in one query.

    Those never sighted are among them: a record that is missing here has no link.
    """
    rows = tx.execute(
        _linked_rows(tx.dialect.name),
        {"of": connection, "kind": entity, "ids": list(remote_ids)},
    ).all()
    return {linked.remote_id: linked for linked in map(LinkedRow._make, rows)}


def mark_seen(tx: Tx, side_ids: Collection[int], run_id: int) -> None:
    """Record that a run has seen these records unchanged."""
    if side_ids:
        tx.execute(_mark_seen(tx.dialect.name), {"ids": list(side_ids), "run": run_id})


class RowSighting(NamedTuple):
    """What is to be remembered of a record that a listing showed."""

    side_id: int
    fingerprint: str | None
    """None: it is to be compared again."""
    fence: int
    day: int
    seen_run: int
    """0: keep the run that is known."""


def store(tx: Tx, sightings: Sequence[RowSighting]) -> None:
    """Store sightings, at most one of each record."""
    if sightings:
        tx.execute(_store(tx.dialect.name), json_rows.encoded(tx.dialect.name, _SIGHTED, sightings))


def count_known(tx: Tx, connection: str, entity: str, before: datetime) -> int:
    """Count the live records that were known before a time."""
    known = select(func.count()).select_from(side).where(*_live(connection, entity, before))
    return int(tx.execute(known).scalar_one())


def count_unseen(tx: Tx, connection: str, entity: str, run_id: int, before: datetime) -> int:
    """Count those of them that the run did not see; where it saw all, no record is looked at."""
    here = (side.c.connection == connection, side.c.entity == entity)
    unseen = select(side.c.id).select_from(_JOINED).where(*here, _is_unseen(run_id))
    alive = (side.c.tombstone.is_(False), side.c.created_at < before)
    absent = select(func.count()).select_from(side).where(side.c.id.in_(unseen), *alive)
    return int(tx.execute(absent).scalar_one())


def unseen(
    tx: Tx, connection: str, entity: str, run_id: int, before: datetime, *, after: int = 0
) -> list[Any]:
    """Return the next records that the run did not see: id, remote_id, link_id and read_at."""
    rows = select(side.c.id, side.c.remote_id, side.c.link_id, side.c.read_at).select_from(_JOINED)
    rows = rows.where(*_live(connection, entity, before), _is_unseen(run_id), side.c.id > after)
    return list(tx.execute(rows.order_by(side.c.id).limit(PAGE)))


def last_shown(tx: Tx, ref: Ref) -> datetime | None:
    """Return when the newest complete listing that showed a record began; None: not known."""
    found = select(run.c.started_at).join(sighting, sighting.c.seen_run == run.c.id)
    found = found.join(side, side.c.id == sighting.c.side_id)
    asked = (
        side.c.connection == ref.connection,
        side.c.entity == ref.entity,
        side.c.remote_id == ref.id,
    )
    return tx.execute(found.where(*asked)).scalar()


_JOINED = side.outerjoin(sighting, sighting.c.side_id == side.c.id)


@cache
def _linked_rows(dialect: str) -> Select[Any]:
    fence = case((link.c.lease_owner.is_(None), link.c.fence))
    digest = case((sighting.c.fence == fence, sighting.c.digest))
    shown = (side.c.remote_id, side.c.id, side.c.link_id, digest)
    rows = select(*shown, func.coalesce(sighting.c.day, 0), fence)
    rows = rows.select_from(_JOINED.join(link, link.c.id == side.c.link_id))
    here = (side.c.connection == bindparam("of"), side.c.entity == bindparam("kind"))
    return rows.where(*here, one_of(dialect, side.c.remote_id))


@cache
def _mark_seen(dialect: str) -> Update:
    return (
        update(sighting)
        .where(one_of(dialect, sighting.c.side_id))
        .values(seen_run=bindparam("run"))
    )


def _live(connection: str, entity: str, before: datetime) -> tuple[Any, ...]:
    return (
        side.c.connection == connection,
        side.c.entity == entity,
        side.c.tombstone.is_(False),
        side.c.created_at < before,
    )


def _is_unseen(run_id: int) -> ColumnElement[bool]:
    return or_(sighting.c.seen_run.is_(None), sighting.c.seen_run != run_id)


_SIGHTED = (
    *(sighting.c.side_id, sighting.c.digest, sighting.c.fence, sighting.c.day),
    sighting.c.seen_run,
)


@cache
def _store(dialect: str) -> Insert:
    rows = json_rows.select_rows(dialect, _SIGHTED)
    statement = insert_for(dialect, sighting).from_select(_SIGHTED, rows)
    new = statement.excluded
    kept = func.coalesce(func.nullif(new.seen_run, 0), sighting.c.seen_run)
    changes = {"digest": new.digest, "fence": new.fence, "day": new.day, "seen_run": kept}
    return statement.on_conflict_do_update(index_elements=["side_id"], set_=changes)


def is_unread(tx: Tx, connection: str, entity: str, listed_at: datetime) -> bool:
    """Return whether a record is still to be read that a listing may have found until then.

    Stray copies wait for others, so nothing waits for them.
    """
    stray = exists().where(
        stray_copy.c.connection == work.c.connection,
        stray_copy.c.entity == work.c.entity,
        stray_copy.c.remote_id == work.c.remote_id,
    )
    unread = select(work.c.id).where(
        work.c.kind == "observe",
        work.c.connection == connection,
        work.c.entity == entity,
        work.c.parked_at.is_(None),
        work.c.created_at <= listed_at,
        work.c.attempts < MAX_FAILED_READS,
        ~stray,
    )
    return tx.execute(unread.limit(1)).first() is not None
