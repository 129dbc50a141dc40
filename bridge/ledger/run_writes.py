"""The records and writes that a run made, and the work of it that is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Update, and_, bindparam, func, select, update

from bridge.core.model.lanes import LANES
from bridge.core.model.outcome_codes import Code, of_cause
from bridge.core.model.state import Attempt
from bridge.ledger import link_codec
from bridge.ledger.database import Tx
from bridge.ledger.tables import attempt, create_intent, run, side, work


@dataclass(frozen=True, slots=True)
class CreatedRecord:
    """A record that a run created."""

    link_id: str
    connection: str
    entity: str
    remote_id: str
    sent: dict[str, Any]
    """The values sent, by canonical field."""


@dataclass(frozen=True, slots=True)
class CarriedOutWrite:
    """A write of a run that was carried out, as far as anybody knows."""

    link_id: str
    connection: str
    entity: str
    remote_id: str
    attempt: Attempt
    read_back: dict[str, Any]


@dataclass(slots=True)
class OutstandingWork:
    """The work of one run that is still outstanding, but for its own listing and parts."""

    waiting: dict[str, int] = field(default_factory=dict)
    """By connection."""
    parked: int = 0

    @property
    def count(self) -> int:
        """Return how much there is, parked or not."""
        return sum(self.waiting.values()) + self.parked


@dataclass(frozen=True, slots=True)
class LeftToDo:
    """The work of some runs that is still outstanding."""

    waiting: int
    parked: Counter[Code]
    """Parked rows by outcome code."""


def creates(tx: Tx, run_ids: Collection[int]) -> int:
    """Count the records that these runs have made or are about to make, and lock the count.

    The lock on the runs' rows keeps another transaction from adding one meanwhile.
    """
    of_runs = run.c.id.in_(list(run_ids))
    tx.execute(select(run.c.id).where(of_runs).order_by(run.c.id).with_for_update())
    counted = select(func.count()).select_from(create_intent)
    counted = counted.where(create_intent.c.run_id.in_(list(run_ids)))
    given_up = create_intent.c.outcome.in_(["not sent", "not seen", "not found", "refused"])
    return tx.execute(counted.where(create_intent.c.outcome.is_(None) | ~given_up)).scalar_one()


def made(tx: Tx, run_id: int, *, link_id: str | None = None) -> list[CreatedRecord]:
    """Return the records that a run created, in order."""
    created = select(create_intent).where(
        create_intent.c.run_id == run_id, create_intent.c.outcome == "created"
    )
    if link_id is not None:
        created = created.where(create_intent.c.link_id == link_id)
    return [
        CreatedRecord(
            row.link_id, row.connection, row.entity, row.remote_id, dict(row.draft["sent"])
        )
        for row in tx.execute(created.order_by(create_intent.c.number))
    ]


def changed(tx: Tx, run_id: int, *, link_id: str | None = None) -> list[CarriedOutWrite]:
    """Return a run's writes, in order, without those that were certainly refused."""
    writes = (
        select(attempt, side.c.entity, side.c.remote_id)
        .join(side, side.c.id == attempt.c.side_id)
        .where(
            attempt.c.run_id == run_id,
            attempt.c.outcome.is_(None) | (attempt.c.outcome != "refused"),
        )
    )
    if link_id is not None:
        writes = writes.where(attempt.c.link_id == link_id)
    return [
        CarriedOutWrite(
            row.link_id,
            row.connection,
            row.entity,
            row.remote_id,
            link_codec.to_attempt(row.detail),
            row.read_back if isinstance(row.read_back, dict) else {},
        )
        for row in tx.execute(writes.order_by(attempt.c.number))
    ]


def count(tx: Tx, run_ids: Collection[int]) -> dict[int, int]:
    """Count the records that each of these runs created and the writes that it carried out."""
    counted: dict[int, int] = {}
    for table, succeeded in (
        (create_intent, create_intent.c.outcome == "created"),
        (attempt, attempt.c.outcome == "done"),
    ):
        by_run = select(table.c.run_id, func.count()).where(
            table.c.run_id.in_(list(run_ids)), succeeded
        )
        for run_id, number in tx.execute(by_run.group_by(table.c.run_id)):
            counted[run_id] = counted.get(run_id, 0) + number
    return counted


def left(tx: Tx, run_ids: Collection[int]) -> LeftToDo:
    """Count the work of these runs that waits and that is parked."""
    of_runs = work.c.run_id.in_(list(run_ids))
    counted = select(func.count()).select_from(work).where(of_runs, work.c.parked_at.is_(None))
    by_cause = select(work.c.parked_cause, func.count()).where(
        of_runs, work.c.parked_at.is_not(None)
    )
    parked: Counter[Code] = Counter()
    for cause, number in tx.execute(by_cause.group_by(work.c.parked_cause)):
        parked[of_cause(cause)] += number
    return LeftToDo(tx.execute(counted).scalar_one(), parked)


def outstanding(tx: Tx, run_ids: Collection[int]) -> dict[int, OutstandingWork]:
    """Return what is outstanding of these runs, by run."""
    found = {run_id: OutstandingWork() for run_id in run_ids}
    columns = (work.c.run_id, work.c.connection, work.c.parked_at.is_not(None))
    asked_for = work.c.run_id.in_(list(run_ids)) & ~work.c.key.startswith("remap:")
    for run_id, connection, parked, count in tx.execute(
        select(*columns, func.count()).where(asked_for).group_by(*columns)
    ):
        if parked:
            found[run_id].parked += count
        else:
            found[run_id].waiting[connection] = count
    return found


def writing_to(tx: Tx, link_ids: Collection[str], kind: str) -> set[int]:
    """Return the runs of a kind that are still to write to any of these links."""
    waits = (work.c.link_id.in_(list(link_ids)), work.c.parked_at.is_(None), run.c.kind == kind)
    rows = select(run.c.id).join(work, work.c.run_id == run.c.id).where(*waits).distinct()
    return set(tx.execute(rows).scalars())


def undo_keys(run_id: int) -> str:
    """Return the beginning of the keys of all work that takes a run back."""
    return f"undo:{run_id}:"


def part_keys(run_id: int) -> str:
    """Return the beginning of the keys of a run's own rows of work, of which it has many."""
    return f"remap:{run_id}:"


def parts_left(tx: Tx, run_id: int) -> int:
    """Count the rows of a run's own work that are left."""
    own = work.c.key.startswith(part_keys(run_id), autoescape=True)
    return tx.execute(select(func.count()).select_from(work).where(own)).scalar_one()


def lock(tx: Tx, run_id: int) -> None:
    """Lock a run, so that of those who end its last parts one sees that nothing is left."""
    tx.execute(select(run.c.id).where(run.c.id == run_id).with_for_update())


def has_work(tx: Tx, run_id: int, kind: str) -> bool:
    """Return whether work of a kind waits or is in hand for a run; parked work does not count."""
    own = select(work.c.id).where(
        work.c.run_id == run_id, work.c.kind == kind, work.c.parked_at.is_(None)
    )
    return tx.execute(own.limit(1)).first() is not None


def left_of_undo(tx: Tx, run_id: int) -> dict[str, int]:
    """Return the work that is left of taking a run back, parked or not: key -> the undo's run."""
    left = select(work.c.key, work.c.run_id).where(
        work.c.key.startswith(undo_keys(run_id), autoescape=True), work.c.run_id.is_not(None)
    )
    return {row.key: row.run_id for row in tx.execute(left)}


def waits_for(tx: Tx, run_ids: Collection[int]) -> dict[str, int]:
    """Count the work of these runs that waits, by connection, without their own listings."""
    queued = select(work.c.connection, func.count()).where(
        work.c.run_id.in_(list(run_ids)), work.c.parked_at.is_(None)
    )
    return dict(tx.execute(queued.group_by(work.c.connection)).all())


def review(
    tx: Tx, run_ids: Collection[int], causes: Collection[str], limit: int = 1000
) -> list[dict[str, Any]]:
    """Return the work of these runs that is parked for one of these causes."""
    columns = (
        work.c.id,
        work.c.kind,
        work.c.connection,
        work.c.remote_id,
        work.c.link_id,
        work.c.parked_why,
    )
    rows = select(*columns).where(
        work.c.run_id.in_(list(run_ids)),
        work.c.parked_at.is_not(None),
        work.c.parked_cause.in_(list(causes)),
    )
    return [dict(row) for row in tx.execute(rows.order_by(work.c.id).limit(limit)).mappings()]


def take_over_leftovers(tx: Tx, new: int, cause: str, now: datetime) -> int:
    """Give a new run the work that earlier runs of its kind left undone; return how much it was.

    That is the work that an interrupted run had queued, and the work parked for that cause.
    """
    new_run = select(run.c.kind, run.c.connection, run.c.entity).where(run.c.id == new).subquery()
    same = and_(
        run.c.kind == new_run.c.kind,
        run.c.connection == new_run.c.connection,
        run.c.entity == new_run.c.entity,
    )
    left_undone = work.c.run_id.in_(select(run.c.id).join(new_run, same).where(run.c.id < new))
    queued = update(work).where(left_undone, work.c.parked_at.is_(None)).values(run_id=new)
    parked = update(work).where(left_undone, work.c.parked_cause == cause)
    count = tx.execute(queued).rowcount
    return count + tx.execute(parked.values(_freed(now) | {"run_id": new})).rowcount


def release_leftovers(tx: Tx, new: int, cause: str, now: datetime) -> None:
    """Give a new run what runs that have listed the same left parked for a cause, in its lane.

    Whoever undoes that run takes back also what it has made of this.
    """
    tx.execute(_release(), {"new_run": new, "for_cause": cause, "now": now})


@cache
def _release() -> Update:
    new = bindparam("new_run", type_=work.c.run_id.type)
    listed = select(run.c.connection, run.c.entity).where(run.c.id == new).subquery()
    same = and_(run.c.connection == listed.c.connection, run.c.entity == listed.c.entity)
    ended = select(run.c.id).join(listed, same).where(run.c.finished_at.is_not(None))
    left = update(work).where(
        work.c.parked_cause == bindparam("for_cause"), work.c.run_id.in_(ended)
    )
    lane = LANES.index("reconcile")
    return left.values(_freed(bindparam("now")) | {"run_id": new, "lane": lane})


def _freed(now: Any) -> dict[str, Any]:
    """Return what a row of work says once it is parked no more."""
    reason = {"parked_at": None, "parked_why": "", "parked_cause": ""}
    return reason | {"attempts": 0, "due_at": now, "generation": work.c.generation + 1}
