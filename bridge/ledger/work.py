"""The work queue: one row for each thing to do, however many hints ask for it.

Every hint raises the row's generation. A worker that claimed generation 3 may delete only
generation 3; if a hint came while it was reading, the row stays and is due again at once. So no
hint is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert

from bridge.core.model.lanes import LANES
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.fair_turns import Room, in_turn
from bridge.ledger.json_rows import Rows
from bridge.ledger.tables import work
from bridge.ledger.work_requests import NewWork, enqueue, enqueue_all

__all__ = ["NewWork", "enqueue", "enqueue_all"]

AGED_AFTER = timedelta(seconds=30)
"""Work that has been due for so long may be taken before work of a more urgent lane."""
HELD_UNTIL = datetime(9000, 1, 1, tzinfo=UTC)
"""Due time of what is held until somebody frees it: no claim finds it, and nobody waits for it."""
MAX_LOOKS = 4
"""Where more is due than fits, so often a claim looks for connections that it has not met yet."""


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A row of work as it was when it was claimed."""

    id: int
    kind: str
    key: str
    connection: str
    entity: str
    remote_id: str | None
    link_id: str | None
    lane: str
    attempts: int
    generation: int
    payload: dict[str, Any] | None
    due_at: datetime | None = None
    """Since when it could be claimed: no earlier than its last failure."""
    run_id: int | None = None
    """The run that asked for it; a run's writes can be undone together."""


def claim(
    tx: Tx,
    owner: str,
    now: datetime,
    until: datetime,
    limit: int,
    kinds: Collection[str] = (),
    skip_connections: Iterable[str] = (),
    *,
    only: str | None = None,
    keys: Collection[str] = (),
    live_only: Iterable[str] = (),
    below_live: int | None = None,
    room: Mapping[str, Room] = MappingProxyType({}),
    load: Mapping[str, int] = MappingProxyType({}),
) -> list[WorkRow]:
    """Claim due rows for one worker, the most urgent lane first, at most one for each link.

    A claim that has run out (its worker died) is taken over. Rows that another worker is claiming
    at this moment are skipped. `only` claims the rows of one connection, `keys` (not empty) no
    others; `live_only` names connections of which only the live lane is claimed; `below_live` is
    how many rows may be of such a lane (default: all). Rows of these lanes beyond a connection's
    `room` come behind the rows of other connections, which can be called at the same time, or are
    left. Where
    more is due than fits, the connections of a lane take turns, each as if it had had one for each
    call of its `load`: a thousand rows of one do not go before the one row of another.
    """
    skipped, due = set(skip_connections), list[Any]()
    for _ in range(MAX_LOOKS):
        statement = _most_urgent(
            tuple(kinds), tuple(sorted(skipped)), tuple(live_only), only, tuple(keys)
        )
        found = tx.execute(statement, {"now": now, "limit": 2 * limit}).all()
        due += found
        if only is not None or len(found) < 2 * limit:
            break
        skipped |= {row.connection for row in found}  # who else has something to do?
    return _claim_first(
        tx, in_turn(due, room, load if len(due) > limit else None), owner, until, limit, below_live
    )


@lru_cache(maxsize=256)
def _most_urgent(
    kinds: tuple[str, ...],
    skipped: tuple[str, ...],
    live_only: tuple[str, ...],
    only: str | None,
    keys: tuple[str, ...],
) -> Select[Any]:
    now = bindparam("now", type_=work.c.due_at.type)
    statement = (
        _due(now, skipped, now=now)
        .order_by(work.c.lane, work.c.due_at, work.c.id)
        .limit(bindparam("limit"))
    )
    if kinds:
        statement = statement.where(work.c.kind.in_(kinds))
    if keys:
        statement = statement.where(work.c.key.in_(keys))
    if only is not None:
        statement = statement.where(work.c.connection == only)
    if live_only:
        statement = statement.where(or_(work.c.lane == 0, work.c.connection.not_in(live_only)))
    return statement


def claim_aged(
    tx: Tx, owner: str, now: datetime, until: datetime, skip_connections: Iterable[str] = ()
) -> list[WorkRow]:
    """Claim the row below the live lane that has aged longest, so that no lane starves."""
    oldest: list[tuple[datetime, int]] = []
    for lane in range(1, len(LANES)):
        when = {"now": now, "aged": now - AGED_AFTER, "below": lane}
        row = tx.execute(_aged(tuple(sorted(skip_connections))), when).first()
        if row is not None:
            oldest.append((row.due_at, row.id))
    if not oldest:
        return []
    chosen = tx.execute(_due(now, now=now).where(work.c.id == min(oldest)[1]))
    return _claim_first(tx, chosen, owner, until, 1)


@lru_cache(maxsize=256)
def _aged(skipped: tuple[str, ...]) -> Select[Any]:
    time = work.c.due_at.type
    rows = _due(bindparam("aged", type_=time), skipped, now=bindparam("now", type_=time))
    return rows.where(work.c.lane == bindparam("below")).order_by(work.c.due_at, work.c.id).limit(1)


def _due(due: Any, skip_connections: Iterable[str] = (), *, now: Any) -> Select[Any]:
    """Return the query for unclaimed rows that were due by then."""
    rows = (
        select(work)
        .where(work.c.parked_at.is_(None), work.c.due_at <= due, _unclaimed(now))
        .with_for_update(skip_locked=True)
    )
    skipped = list(skip_connections)
    return rows.where(work.c.connection.not_in(skipped)) if skipped else rows


def _claim_first(
    tx: Tx,
    due: Iterable[Any],
    owner: str,
    until: datetime,
    limit: int,
    below_live: int | None = None,
) -> list[WorkRow]:
    """Claim the first of these rows, at most one for each link."""
    taken: list[WorkRow] = []
    links: set[str] = set()
    left = limit if below_live is None else below_live
    for row in due:
        if len(taken) == limit or (row.lane > 0 and left == 0):
            break
        if row.link_id is not None:
            if row.link_id in links:
                continue
            links.add(row.link_id)
        left -= row.lane > 0
        taken.append(_row(row))
    if taken:
        tx.execute(_CLAIMED, [{"row": row.id, "owner": owner, "until": until} for row in taken])
    return taken


def finish(tx: Tx, row: WorkRow, owner: str, now: datetime) -> bool:
    """Delete a claimed row; if a hint came meanwhile, make it due now and return False."""
    return row.id in finish_all(tx, [(row, owner)], now)


def finish_all(tx: Tx, ended: Sequence[tuple[WorkRow, str]], now: datetime) -> set[int]:
    """Delete rows, each claimed by that owner; return the ids of those that are gone.

    Those for which a hint came meanwhile are due now.
    """
    if not ended:
        return set()
    claims = [(row.id, owner, row.generation) for row, owner in ended]
    deleted = set(tx.execute(_finish(tx.dialect.name), _CLAIMS.given(tx, claims)).scalars())
    for row, owner in ended:
        if row.id not in deleted:
            tx.execute(_BEGUN_ANEW, {"row": row.id, "owner": owner, "new_due": now})
    return deleted


@dataclass(frozen=True, slots=True)
class BegunWork:
    """Work that somebody goes straight on with: claimed as it is raised."""

    new: NewWork
    owner: str
    until: datetime
    """When the claim runs out."""


def begin_all(tx: Tx, begun: Sequence[BegunWork]) -> dict[str, WorkRow]:
    """Raise work for those who go straight on with it; return it by key.

    What is there already is left to whoever has it, or will have it, and missing from the answer.
    """
    if not begun:
        return {}
    rows = [
        (
            *(each.new.key, each.new.kind, each.new.connection, each.new.entity),
            *(each.new.link_id, LANES.index(each.new.lane), each.new.due_at, each.new.run_id),
            *(each.new.now, each.owner, each.until),
        )
        for each in begun
    ]
    found = tx.execute(_begin(tx.dialect.name), _BEGUN.given(tx, rows))
    return {row.key: _row(row) for row in found}


def reschedule(
    tx: Tx,
    row: WorkRow,
    owner: str,
    due_at: datetime,
    error: str = "",
    count: bool = True,
    *,
    lane: str = "live",
) -> None:
    """Give a claimed row back, due at that time, or earlier if a hint that came meanwhile says so.

    It moves down to `lane` if its own is more urgent, unless a hint came meanwhile. `count` counts
    an attempt.
    """
    values = {"row": row.id, "owner": owner, "read": row.generation, "new_due": due_at}
    tx.execute(
        _RESCHEDULE, values | {"tries": int(count), "error": error, "at_least": LANES.index(lane)}
    )


def annotate(tx: Tx, key: str, payload: dict[str, Any]) -> None:
    """Replace the payload of a row that is not parked."""
    at_work = (work.c.key == key, work.c.parked_at.is_(None))
    tx.execute(update(work).where(*at_work).values(payload=payload))


def park(tx: Tx, row: WorkRow, owner: str, why: str, cause: str, now: datetime) -> bool:
    """Park a claimed row; if a hint came meanwhile, make it due now instead and return False."""
    parked = (
        update(work)
        .where(_MINE, work.c.generation == row.generation)
        .values(
            parked_at=now,
            parked_since=func.coalesce(work.c.parked_since, now),
            parked_why=why,
            parked_cause=cause,
            last_error=why,
            claimed_by=None,
            claimed_until=None,
        )
    )
    key = {"row": row.id, "owner": owner}
    if tx.execute(parked, key).rowcount:
        return True
    tx.execute(_HINTED, key | {"new_due": now})
    return False


def next_due(tx: Tx, now: datetime, skip_connections: Iterable[str] = ()) -> datetime | None:
    """Return when the next row can be claimed (maybe in the past); None when there is no work."""
    times = tx.execute(_next_times(tuple(sorted(skip_connections))), {"now": now}).one()
    return min((time for time in times if time is not None and time < HELD_UNTIL), default=None)


@lru_cache(maxsize=256)
def _next_times(skipped: tuple[str, ...]) -> Select[Any]:
    """Return the query for when the next unclaimed row is due, and the next claim runs out."""
    now = bindparam("now", type_=work.c.due_at.type)
    rows = [work.c.parked_at.is_(None)]
    if skipped:
        rows.append(work.c.connection.not_in(skipped))
    waiting = select(func.min(work.c.due_at)).where(*rows, _unclaimed(now))
    claimed = select(func.min(work.c.claimed_until)).where(*rows, work.c.claimed_until > now)
    return select(waiting.scalar_subquery(), claimed.scalar_subquery())


def backlog(tx: Tx, now: datetime) -> dict[str, Any]:
    """Count the rows by state; `oldest_due` is since when the oldest due row waits."""
    state = case(
        (work.c.parked_at.is_not(None), "parked"),
        (work.c.claimed_until > now, "claimed"),
        (work.c.due_at <= now, "due"),
        else_="later",
    ).label("state")
    counts = {"due": 0, "later": 0, "claimed": 0, "parked": 0}
    oldest: datetime | None = None
    for name, number, since in tx.execute(
        select(state, func.count(), func.min(work.c.due_at)).group_by(state)
    ):
        counts[name] = number
        if name == "due":
            oldest = since
    return {**counts, "oldest_due": oldest}


def pending(tx: Tx, kind: str, link_ids: Collection[str]) -> set[str]:
    """Return the ones of these links that have work of a kind which is not parked."""
    rows = select(work.c.link_id).where(work.c.kind == kind, work.c.link_id.in_(list(link_ids)))
    return set(tx.execute(rows.where(work.c.parked_at.is_(None))).scalars())


def by_lane(tx: Tx) -> dict[str, int]:
    """Count the work that is not parked, by lane."""
    counted = select(work.c.lane, func.count()).where(work.c.parked_at.is_(None))
    counted = counted.group_by(work.c.lane)
    return dict.fromkeys(LANES, 0) | {LANES[lane]: number for lane, number in tx.execute(counted)}


def waiting(tx: Tx, now: datetime) -> dict[str, datetime]:
    """Return since when the oldest due work waits, by connection with due work."""
    due = (work.c.parked_at.is_(None), work.c.due_at <= now)
    oldest = select(work.c.connection, func.min(work.c.due_at)).where(*due)
    return dict(tx.execute(oldest.group_by(work.c.connection)).all())


def _unclaimed(now: Any) -> ColumnElement[bool]:
    return or_(work.c.claimed_until.is_(None), work.c.claimed_until <= now)


_MINE = and_(work.c.id == bindparam("row"), work.c.claimed_by == bindparam("owner"))
_CLAIMED = (
    update(work)
    .where(work.c.id == bindparam("row"))
    .values(claimed_by=bindparam("owner"), claimed_until=bindparam("until"))
)
_GIVEN_BACK = {"claimed_by": None, "claimed_until": None}
_CLAIMS = Rows(id=work.c.id.type, owner=work.c.claimed_by.type, generation=work.c.generation.type)
_BEGUN = Rows.like(
    work,
    *("key", "kind", "connection", "entity", "link_id", "lane", "due_at", "run_id"),
    *("created_at", "claimed_by", "claimed_until"),
)
_HINTED = (
    update(work).where(_MINE).values({**_GIVEN_BACK, "attempts": 0, "due_at": bindparam("new_due")})
)
_BEGUN_ANEW = _HINTED.values(parked_since=None)
_AT_LEAST = bindparam("at_least", type_=work.c.lane.type)
_LATER = bindparam("new_due", type_=work.c.due_at.type)
_RESCHEDULE = (
    update(work)
    .where(_MINE)
    .values(
        {
            **_GIVEN_BACK,
            "due_at": case(
                (
                    and_(work.c.generation != bindparam("read"), work.c.due_at < _LATER),
                    work.c.due_at,
                ),
                else_=_LATER,
            ),
            "lane": case(
                (and_(work.c.generation == bindparam("read"), work.c.lane < _AT_LEAST), _AT_LEAST),
                else_=work.c.lane,
            ),
            "attempts": work.c.attempts + bindparam("tries"),
            "last_error": bindparam("error"),
        }
    )
)


def _row(row: Any) -> WorkRow:
    return WorkRow(
        id=row.id,
        kind=row.kind,
        key=row.key,
        connection=row.connection,
        entity=row.entity,
        remote_id=row.remote_id,
        link_id=row.link_id,
        lane=LANES[row.lane],
        attempts=row.attempts,
        generation=row.generation,
        payload=row.payload,
        due_at=row.due_at,
        run_id=row.run_id,
    )


@cache
def _finish(dialect: str) -> ReturningDelete[Any]:
    ended = _CLAIMS.table(dialect)
    mine = tuple_(work.c.id, work.c.claimed_by, work.c.generation)
    claims = select(ended.c.id, ended.c.owner, ended.c.generation)
    if dialect != "sqlite":  # locked in the order in which hints ask for them: no deadlock
        claims = claims.join(rows := work.alias(), rows.c.id == ended.c.id)
        claims = claims.order_by(rows.c.key.collate("C")).with_for_update(of=rows)
    return delete(work).where(mine.in_(claims)).returning(work.c.id)


@cache
def _begin(dialect: str) -> ReturningInsert[Any]:
    new = _BEGUN.table(dialect)
    raised = insert_for(dialect, work).from_select(new.c.keys(), select(*new.c).where(true()))
    return raised.on_conflict_do_nothing().returning(work)
