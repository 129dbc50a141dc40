"""Drift: differences that reconciliation found, with the reason why no webhook told of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from bridge.core.model.values import Ref
from bridge.ledger.database import Tx, one_of
from bridge.ledger.parking import CREATION_BUDGET
from bridge.ledger.tables import drift, inbox, link, side, work

SILENT = "no webhook came"
"""The reason that counts as a miss: the vendor sent nothing."""
UNTOLD = "no webhook tells of this kind; only listings do"
"""No miss: the system sends webhooks, and none is about such records."""
UNSEEN = "the first listing; it was never seen before"
"""No miss: no webhook can have been sent for it."""
WAITS = "a hint came and waits its turn"
"""Not drift: work for it is queued already."""
UNEXPLAINED = "to be looked up"
"""A placeholder; `explain` replaces it when the run ends."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """One record that a run found to differ."""

    run_id: str
    """As text: `bridge drift --json` prints this row as it is."""
    connection: str
    entity: str
    remote_id: str
    kind: str
    """`changed`, `new`, `absent` (from the listing) or `owed` (another side lacks a value)."""
    fields: list[str]
    since: datetime | None
    """When the record was last read, so last known to be in step; None: never."""
    why: str
    found_at: datetime
    healed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MissRate:
    """The number of findings of one connection on one day, and of those without any webhook."""

    day: str
    connection: str
    found: int
    missed: int
    """Those of `found` without any webhook."""
    healed: int


@dataclass(frozen=True, slots=True)
class DriftTally:
    """The findings of one connection on one day that have one reason."""

    day: str
    connection: str
    why: str
    found: int
    healed: int
    last: datetime

    @property
    def is_miss(self) -> bool:
        """Whether no webhook came: the vendor sent nothing."""
        return self.why == SILENT


def add(tx: Tx, rows: Iterable[dict[str, Any]]) -> None:
    """Store one page's findings. A new record that stays unlinked is stored only once."""
    given = list(rows)
    stored = _stored_as_new(tx, [row for row in given if row["kind"] == "new"])
    fresh = [row for row in given if row["kind"] != "new" or row["remote_id"] not in stored]
    if fresh:
        tx.execute(drift.insert(), fresh)


def _stored_as_new(tx: Tx, rows: list[dict[str, Any]]) -> set[str]:
    """Return the ids of those of a page's records that earlier runs have stored as new."""
    if not rows:
        return set()
    stored = select(drift.c.remote_id).where(
        drift.c.connection == rows[0]["connection"],
        drift.c.entity == rows[0]["entity"],
        drift.c.kind == "new",
        drift.c.remote_id.in_([row["remote_id"] for row in rows]),
        drift.c.healed_at.is_(None),
    )
    return set(tx.execute(stored).scalars())


def set_reason(tx: Tx, ref: Ref, why: str) -> None:
    """Store why a record that was found new stays unlinked."""
    named = (
        drift.c.connection == ref.connection,
        drift.c.entity == ref.entity,
        drift.c.remote_id == ref.id,
    )
    tx.execute(
        update(drift)
        .where(*named, drift.c.kind == "new", drift.c.healed_at.is_(None))
        .values(why=why)
    )


def forget(tx: Tx, ref: Ref) -> None:
    """Forget what was found of a record that is left out on purpose: nothing was missed."""
    named = (
        drift.c.connection == ref.connection,
        drift.c.entity == ref.entity,
        drift.c.remote_id == ref.id,
    )
    tx.execute(delete(drift).where(*named, drift.c.healed_at.is_(None)))


def outstanding(tx: Tx, keys: Collection[str]) -> dict[str, str]:
    """Return, by key, whether existing work is parked (and why) or waits its turn."""
    if not keys:
        return {}
    existing = tx.execute(_outstanding(tx.dialect.name), {"ids": list(keys)})
    return {key: f"parked: {why}" if parked is not None else WAITS for key, parked, why in existing}


@cache
def _outstanding(dialect: str) -> Select[Any]:
    found = select(work.c.key, work.c.parked_at, work.c.parked_why)
    return found.where(one_of(dialect, work.c.key))


def waiting(tx: Tx, keys: Collection[str]) -> set[str]:
    """Return the keys of work that waits its turn, or for the import after one with a limit."""
    if not keys:
        return set()
    return set(tx.execute(_waiting(tx.dialect.name), {"ids": list(keys)}).scalars())


@cache
def _waiting(dialect: str) -> Select[Any]:
    on_purpose = or_(work.c.parked_at.is_(None), work.c.parked_cause == CREATION_BUDGET)
    return select(work.c.key).where(one_of(dialect, work.c.key), on_purpose)


def explain(tx: Tx, run_id: int, *, webhooks: bool) -> None:
    """Store a reason for each unexplained finding of the run, from the webhooks that came."""
    of = {"of": run_id}
    if not webhooks:
        tx.execute(
            _EXPLAIN, of | {"reason": "the connection sends no webhooks; only listings tell"}
        )
        return
    for row in tx.execute(_NEWEST_WEBHOOKS, of).all():
        why = _because_of(row.verdict, row.why)
        tx.execute(update(drift).where(drift.c.id == row.drift_id).values(why=why))
    tx.execute(_EXPLAIN, of | {"reason": SILENT})
    mark_untold(tx)


_UNEXPLAINED_OF = and_(drift.c.run_id == bindparam("of"), drift.c.why == UNEXPLAINED)
_EXPLAIN = update(drift).where(_UNEXPLAINED_OF).values(why=bindparam("reason"))
_WEBHOOKS = (
    select(func.max(inbox.c.id).label("inbox_id"), drift.c.id.label("drift_id"))
    .select_from(
        drift.join(
            inbox,
            and_(
                inbox.c.connection == drift.c.connection,
                inbox.c.entity == drift.c.entity,
                inbox.c.remote_id == drift.c.remote_id,
                inbox.c.received_at <= drift.c.found_at,
                or_(drift.c.since.is_(None), inbox.c.received_at >= drift.c.since),
            ),
        )
    )
    .where(_UNEXPLAINED_OF)
    .group_by(drift.c.id)
    .subquery()
)
_NEWEST_WEBHOOKS = select(_WEBHOOKS.c.drift_id, inbox.c.verdict, inbox.c.why).join(
    inbox, inbox.c.id == _WEBHOOKS.c.inbox_id
)


_SILENT_KINDS = select(drift.c.connection, drift.c.entity).where(drift.c.why == SILENT).distinct()


def mark_untold(tx: Tx) -> None:
    """Say so of findings of a kind that no webhook tells of, while the connection's others come."""
    for connection, entity in tx.execute(_SILENT_KINDS).all():
        told = select(inbox.c.id).where(inbox.c.connection == connection).limit(1)
        of_kind = told.where(inbox.c.entity == entity)
        if tx.execute(told).first() is not None and tx.execute(of_kind).first() is None:
            found = (drift.c.connection == connection, drift.c.entity == entity)
            tx.execute(update(drift).where(*found, drift.c.why == SILENT).values(why=UNTOLD))


def mark_healed(tx: Tx) -> int:
    """Mark as healed every finding whose record has been read since and has no work left.

    Return how many.
    """
    return tx.execute(_mark_healed()).rowcount


@cache
def _mark_healed() -> Update:
    joined = side.join(link, link.c.id == side.c.link_id)
    same = (
        side.c.connection == drift.c.connection,
        side.c.entity == drift.c.entity,
        side.c.remote_id == drift.c.remote_id,
    )
    observe = "observe:" + side.c.connection + ":" + side.c.entity + ":" + side.c.remote_id
    has_work = exists().where(or_(work.c.link_id == side.c.link_id, work.c.key == observe))
    read_since = or_(side.c.read_at >= drift.c.found_at, side.c.tombstone.is_(True))
    healed = (*same, read_since, ~has_work)
    at = (
        select(link.c.updated_at)
        .select_from(joined)
        .where(*healed)
        .correlate(drift)
        .scalar_subquery()
    )
    is_healed = exists().select_from(joined).where(*healed).correlate(drift)
    return update(drift).where(drift.c.healed_at.is_(None), is_healed).values(healed_at=at)


def recent(
    tx: Tx, *, runs: Collection[int] | None = None, connection: str | None = None, limit: int = 100
) -> list[Drifted]:
    """Return findings, newest first."""
    statement = select(drift).order_by(drift.c.id.desc()).limit(limit)
    if runs is not None:
        statement = statement.where(drift.c.run_id.in_(list(runs)))
    if connection is not None:
        statement = statement.where(drift.c.connection == connection)
    return [_drifted(row) for row in tx.execute(statement)]


def _drifted(row: Any) -> Drifted:
    return Drifted(
        str(row.run_id),
        row.connection,
        row.entity,
        row.remote_id,
        row.kind,
        row.fields,
        row.since,
        row.why,
        row.found_at,
        row.healed_at,
    )


def page(
    tx: Tx,
    *,
    connection: str | None = None,
    missed: bool = False,
    before: int | None = None,
    limit: int,
    within: int,
) -> tuple[list[Drifted], int | None]:
    """Return findings, newest first, and from before which id it goes on; None: that was all.

    `missed`: only those that no webhook told of. So many `within` are looked at, however few of
    them fit.
    """
    if before is None:
        before = 1 + (tx.execute(select(func.max(drift.c.id))).scalar() or 0)
    fits = [drift.c.id < before, drift.c.id >= before - within]
    fits += [drift.c.connection == connection] if connection is not None else []
    fits += [drift.c.why == SILENT] if missed else []
    newest = select(drift).where(*fits).order_by(drift.c.id.desc()).limit(limit + 1)
    rows = tx.execute(newest).all()
    if len(rows) > limit:
        return [_drifted(row) for row in rows[:limit]], rows[limit - 1].id
    older = tx.execute(select(func.max(drift.c.id)).where(drift.c.id < before - within)).scalar()
    return [_drifted(row) for row in rows], None if older is None else older + 1


def tallied(tx: Tx, since: datetime, connection: str | None = None) -> list[DriftTally]:
    """Count the findings since then by day, connection and reason, in one go through them."""
    day = func.substr(cast(drift.c.found_at, Text), 1, 10)
    groups = (day, drift.c.connection, drift.c.why)
    _missed, healed = _counts()
    counted = select(*groups, func.count(), healed, func.max(drift.c.found_at))
    fits = [drift.c.found_at >= since]
    fits += [drift.c.connection == connection] if connection is not None else []
    return [
        DriftTally(at, name, why, number, healed_sum or 0, last)
        for at, name, why, number, healed_sum, last in tx.execute(
            counted.where(*fits).group_by(*groups)
        )
    ]


def counts(tx: Tx, run_id: int) -> dict[str, int]:
    """Count a run's findings: found, missed (no webhook came) and healed."""
    missed, healed = _counts()
    row = tx.execute(select(func.count(), missed, healed).where(drift.c.run_id == run_id)).one()
    return {"found": row[0], "missed": row[1] or 0, "healed": row[2] or 0}


def rates(tx: Tx, since: datetime, connection: str | None = None) -> list[MissRate]:
    """Return the rates by day and connection since then."""
    day = func.substr(cast(drift.c.found_at, Text), 1, 10).label("day")
    missed, healed = _counts()
    statement = select(day, drift.c.connection, func.count(), missed, healed).where(
        drift.c.found_at >= since
    )
    if connection is not None:
        statement = statement.where(drift.c.connection == connection)
    rows = tx.execute(statement.group_by(day, drift.c.connection).order_by(day, drift.c.connection))
    return [
        MissRate(at, name, count, missed_sum or 0, healed_sum or 0)
        for at, name, count, missed_sum, healed_sum in rows
    ]


def count_healing(tx: Tx, runs: Collection[int]) -> int:
    """Count the findings of these runs that may heal yet: their work is not done and not parked."""
    observe = "observe:" + drift.c.connection + ":" + drift.c.entity + ":" + drift.c.remote_id
    has_work = exists().where(
        work.c.parked_at.is_(None),
        or_(
            work.c.key == observe,
            work.c.link_id.in_(
                select(side.c.link_id).where(
                    side.c.connection == drift.c.connection,
                    side.c.entity == drift.c.entity,
                    side.c.remote_id == drift.c.remote_id,
                )
            ),
        ),
    )
    counted = select(func.count()).select_from(drift)
    unhealed = (drift.c.run_id.in_(list(runs)), drift.c.healed_at.is_(None))
    return tx.execute(counted.where(*unhealed, has_work)).scalar_one()


def prune(tx: Tx, before: datetime) -> int:
    """Delete findings from before that time; return how many."""
    return tx.execute(delete(drift).where(drift.c.found_at < before)).rowcount


def _counts() -> tuple[Any, Any]:
    missed = func.sum(case((drift.c.why == SILENT, 1), else_=0)).label("missed")
    return missed, func.sum(case((drift.c.healed_at.is_not(None), 1), else_=0)).label("healed")


def _because_of(verdict: str, why: str) -> str:
    """Return the reason for a finding whose record had a webhook with this verdict."""
    because = f": {why}" if why else ""
    if verdict == "pending":
        return "a webhook came and waits its turn"
    if verdict in ("applied", "echo", "no-op"):
        return "a webhook came and was read; what changed after it had none"
    return f"a webhook came and was dropped as {verdict}{because}"
