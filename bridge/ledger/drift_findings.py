"""What reconciliation found to differ: which fields, since when, why no webhook told of it, and when it was healed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, case, cast, delete, exists, func, or_, select, update

from bridge.core.model.values import Ref
from bridge.ledger.database import Tx
from bridge.ledger.tables import drift, inbox, link, side, work

SILENT = "no webhook came"
"""The reason that counts as a miss of the source's."""
UNSEEN = "the first listing; it was never seen before"
"""No miss: nobody can have told of it."""
WAITS = "a hint came and waits its turn"
"""Not drift: what was found is known of already, and about to be read."""
UNASKED = "to be looked up"
"""Stands for a reason that `explain` finds when the run ends."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """One record that a run found to differ."""

    run_id: str
    connection: str
    entity: str
    remote_id: str
    kind: str
    """`changed`, `new`, `absent` (the listing lacks it) or `owed` (another side still waits for what is known)."""
    fields: list[str]
    since: datetime | None
    """When the record was last read, hence last known to be right; None: never."""
    why: str
    found_at: datetime
    healed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MissRate:
    """How one source did on one day."""

    day: str
    connection: str
    found: int
    missed: int
    """Of these, without any webhook."""
    healed: int


def add(tx: Tx, rows: Iterable[dict[str, Any]]) -> None:
    """Write down the findings of one page; what is found new again and again, and linked to nothing, only once."""
    found = list(rows)
    known = _unlinked(tx, [row for row in found if row["kind"] == "new"])
    found = [row for row in found if row["kind"] != "new" or row["remote_id"] not in known]
    if found:
        tx.execute(drift.insert(), found)


def _unlinked(tx: Tx, rows: list[dict[str, Any]]) -> set[str]:
    """Give those of a page's records of which it is on record already that they are not known."""
    if not rows:
        return set()
    of = (
        drift.c.connection == rows[0]["connection"],
        drift.c.entity == rows[0]["entity"],
        drift.c.kind == "new",
    )
    named = drift.c.remote_id.in_([row["remote_id"] for row in rows])
    return set(
        tx.execute(
            select(drift.c.remote_id).where(*of, named, drift.c.healed_at.is_(None))
        ).scalars()
    )


def set_reason(tx: Tx, ref: Ref, why: str) -> None:
    """Say why a record that was found new stays unlinked."""
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


def outstanding(tx: Tx, keys: Collection[str]) -> dict[str, str]:
    """Say, by key of the work, what already stands in its way or that it waits its turn; absent: no such work."""
    found = select(work.c.key, work.c.parked_at, work.c.parked_why).where(
        work.c.key.in_(list(keys))
    )
    return {
        key: f"parked: {why}" if parked is not None else WAITS
        for key, parked, why in tx.execute(found)
    }


def explain(tx: Tx, run_id: str, *, webhooks: bool) -> None:
    """Give every finding of the run that has no reason yet one from the inbox: what came, and what became of it."""
    open_ = and_(drift.c.run_id == int(run_id), drift.c.why == UNASKED)
    if not webhooks:
        tx.execute(
            update(drift)
            .where(open_)
            .values(why="the connection sends no webhooks; only listings tell")
        )
        return
    newest = (
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
        .where(open_)
        .group_by(drift.c.id)
        .subquery()
    )
    told = select(newest.c.drift_id, inbox.c.verdict, inbox.c.why).join(
        inbox, inbox.c.id == newest.c.inbox_id
    )
    for row in tx.execute(told).all():
        tx.execute(
            update(drift)
            .where(drift.c.id == row.drift_id)
            .values(why=_became(row.verdict, row.why))
        )
    tx.execute(update(drift).where(open_).values(why=SILENT))


def mark_healed(tx: Tx) -> int:
    """Mark as healed what has been read since, and for which nothing is outstanding any more; gives how many."""
    joined = side.join(link, link.c.id == side.c.link_id)
    same = (
        side.c.connection == drift.c.connection,
        side.c.entity == drift.c.entity,
        side.c.remote_id == drift.c.remote_id,
    )
    waits = exists().where(
        or_(
            work.c.link_id == side.c.link_id,
            work.c.key
            == "observe:" + side.c.connection + ":" + side.c.entity + ":" + side.c.remote_id,
        )
    )
    done = (*same, or_(side.c.read_at >= drift.c.found_at, side.c.tombstone.is_(True)), ~waits)
    at = (
        select(link.c.updated_at)
        .select_from(joined)
        .where(*done)
        .correlate(drift)
        .scalar_subquery()
    )
    there = exists().select_from(joined).where(*done).correlate(drift)
    healed = update(drift).where(drift.c.healed_at.is_(None), there).values(healed_at=at)
    return tx.execute(healed).rowcount


def recent(
    tx: Tx, *, runs: Collection[str] | None = None, connection: str | None = None, limit: int = 100
) -> list[Drifted]:
    """List findings, newest first."""
    statement = select(drift).order_by(drift.c.id.desc()).limit(limit)
    if runs is not None:
        statement = statement.where(drift.c.run_id.in_([int(each) for each in runs]))
    if connection is not None:
        statement = statement.where(drift.c.connection == connection)
    return [
        Drifted(
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
        for row in tx.execute(statement)
    ]


def counts(tx: Tx, run_id: str) -> dict[str, int]:
    """Count a run's findings: found, missed (no webhook came) and healed."""
    missed, healed = _counts()
    row = tx.execute(
        select(func.count(), missed, healed).where(drift.c.run_id == int(run_id))
    ).one()
    return {"found": row[0], "missed": row[1] or 0, "healed": row[2] or 0}


def rates(tx: Tx, since: datetime, connection: str | None = None) -> list[MissRate]:
    """Give, by day and source, how much was found and how much of it no webhook had told of."""
    day = func.substr(cast(drift.c.found_at, Text), 1, 10).label("day")
    missed, healed = _counts()
    statement = select(day, drift.c.connection, func.count(), missed, healed).where(
        drift.c.found_at >= since
    )
    if connection is not None:
        statement = statement.where(drift.c.connection == connection)
    rows = tx.execute(statement.group_by(day, drift.c.connection).order_by(day, drift.c.connection))
    return [
        MissRate(at, name, count, missing or 0, better or 0)
        for at, name, count, missing, better in rows
    ]


def count_healing(tx: Tx, runs: Collection[str]) -> int:
    """Count the findings of these runs for which work is still outstanding, not parked, hence that may heal yet."""
    waits = exists().where(
        work.c.parked_at.is_(None),
        or_(
            work.c.key
            == "observe:" + drift.c.connection + ":" + drift.c.entity + ":" + drift.c.remote_id,
            work.c.link_id.in_(
                select(side.c.link_id).where(
                    side.c.connection == drift.c.connection,
                    side.c.entity == drift.c.entity,
                    side.c.remote_id == drift.c.remote_id,
                )
            ),
        ),
    )
    found = select(func.count()).select_from(drift)
    mine = (drift.c.run_id.in_([int(each) for each in runs]), drift.c.healed_at.is_(None))
    return tx.execute(found.where(*mine, waits)).scalar_one()


def prune(tx: Tx, before: datetime) -> int:
    """Forget findings of long ago."""
    return tx.execute(delete(drift).where(drift.c.found_at < before)).rowcount


def _counts() -> tuple[Any, Any]:
    missed = func.sum(case((drift.c.why == SILENT, 1), else_=0)).label("missed")
    return missed, func.sum(case((drift.c.healed_at.is_not(None), 1), else_=0)).label("healed")


def _became(verdict: str, why: str) -> str:
    because = f": {why}" if why else ""
    if verdict == "pending":
        return "a webhook came and waits its turn"
    if verdict in ("applied", "echo", "no-op"):
        return "a webhook came and was read; what changed after it had none"
    return f"a webhook came and was dropped as {verdict}{because}"
