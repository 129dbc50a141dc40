"""Asks for work: many pieces in one statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import Any, Final

from sqlalchemy import and_, case, func, select
from sqlalchemy.dialects.postgresql import Insert

from bridge.core.model.lanes import LANES
from bridge.ledger import json_rows
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.tables import run, work
from bridge.ledger.value_codec import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """A piece of work that is asked for; see `enqueue`."""

    kind: str
    key: str
    connection: str
    entity: str
    remote_id: str | None = None
    link_id: str | None = None
    lane: str = "live"
    due_at: datetime
    now: datetime
    payload: dict[str, Any] | None = None
    unpark: bool = True
    run_id: int | None = None
    handle: str = ""


def enqueue(
    tx: Tx,
    *,
    kind: str,
    key: str,
    connection: str,
    entity: str,
    remote_id: str | None = None,
    link_id: str | None = None,
    lane: str = "live",
    due_at: datetime,
    now: datetime,
    payload: dict[str, Any] | None = None,
    unpark: bool = True,
    run_id: int | None = None,
    handle: str = "",
) -> None:
    """Ask for a piece of work. A row of this key takes the more urgent lane and the earlier time.

    A parked row is freed, because its cause may be gone, and its attempts are counted from zero;
    `unpark=False` leaves it parked.
    """
    wanted = NewWork(
        kind=kind,
        key=key,
        connection=connection,
        entity=entity,
        remote_id=remote_id,
        link_id=link_id,
        lane=lane,
        due_at=due_at,
        now=now,
        payload=payload,
        unpark=unpark,
        run_id=run_id,
        handle=handle,
    )
    enqueue_all(tx, [wanted])


def enqueue_all(tx: Tx, wanted: Iterable[NewWork]) -> None:
    """Ask for pieces of work, as if by `enqueue` for one after the other.

    Rows are locked, and new ones numbered, in the order of their keys: two transactions that ask
    for the same work do not deadlock.
    """
    dialect = tx.dialect.name
    for (_, unpark), group in groupby(_placed(wanted), lambda each: (each[0], each[2].unpark)):
        rows = [_values(new) for _, _, new in group]
        if len(rows) == 1:  # a single row costs a third less as it is
            named = {column.name: value for column, value in zip(_COLUMNS, rows[0], strict=True)}
            tx.execute(_enqueue_one(dialect, unpark), named)
        else:
            parameter = json_rows.encoded(dialect, _COLUMNS, rows)
            tx.execute(_enqueue_many(dialect, unpark), parameter)


def _placed(wanted: Iterable[NewWork]) -> list[tuple[int, str, NewWork]]:
    """Return what is wanted in order, each with its round and its key as it is stored.

    No statement can change a row twice. What asks for the same once more comes a round later.
    """
    asked: Counter[str] = Counter()
    placed = []
    for new in wanted:
        key = storable(new.key)
        placed.append((asked[key], key, new))
        asked[key] += 1
    return sorted(placed, key=lambda each: each[:2])


def _values(new: NewWork) -> tuple[Any, ...]:
    """Return a row, in the order of `_COLUMNS`."""
    return (
        *(new.key, new.kind, new.connection, new.entity, new.remote_id, new.link_id),
        *(LANES.index(new.lane), new.due_at, new.payload, new.run_id, new.handle, new.now),
    )


_COLUMNS: Final = (
    *(work.c.key, work.c.kind, work.c.connection, work.c.entity, work.c.remote_id, work.c.link_id),
    *(work.c.lane, work.c.due_at, work.c.payload, work.c.run_id, work.c.handle, work.c.created_at),
)


_PAUSED: Final = select(run.c.id).where(run.c.paused_at.is_not(None))


@cache
def _enqueue_one(dialect: str, unpark: bool) -> Insert:
    return _or_hint(insert_for(dialect, work), unpark)


@cache
def _enqueue_many(dialect: str, unpark: bool) -> Insert:
    rows = json_rows.select_rows(dialect, _COLUMNS)
    return _or_hint(insert_for(dialect, work).from_select(_COLUMNS, rows), unpark)


def _or_hint(statement: Insert, unpark: bool) -> Insert:
    """Return the statement with what becomes of a row that is there already."""
    new, is_parked = statement.excluded, work.c.parked_at.is_not(None)
    changes: dict[str, Any] = {
        "generation": work.c.generation + 1,
        "lane": case((work.c.lane <= new.lane, work.c.lane), else_=new.lane),
        "due_at": case(
            (and_(~is_parked, work.c.due_at <= new.due_at), work.c.due_at), else_=new.due_at
        ),
        "payload": func.coalesce(new.payload, work.c.payload),
        # What was set aside is freed on behalf of whoever frees it, with no limit of another run.
        # A paused run keeps it: what is held of that is nobody else's to do.
        "run_id": case(
            (
                and_(is_parked, work.c.run_id.not_in(_PAUSED)),
                func.coalesce(new.run_id, work.c.run_id),
            ),
            else_=func.coalesce(work.c.run_id, new.run_id),
        ),
        "handle": case((new.handle != "", new.handle), else_=work.c.handle),
    }
    if unpark:
        changes |= {
            "attempts": case((is_parked, 0), else_=work.c.attempts),
            "parked_at": None,
            "parked_why": "",
            "parked_cause": "",
        }
    return statement.on_conflict_do_update(index_elements=["key"], set_=changes)
