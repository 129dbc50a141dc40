"""The single records of a run: what it wrote, made and found, and what of it is left, by pages.

Each kind is asked for by itself, in the order of its own numbers, so that a page of a run with a
hundred thousand of them costs what a page costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, select

from bridge.ledger import link_codec
from bridge.ledger.database import Tx
from bridge.ledger.tables import attempt, create_intent, drift, side, work

ObjectKind = Literal["wrote", "made", "found", "left"]
ObjectState = Literal["done", "not done", "under way"]


@dataclass(frozen=True, slots=True)
class RunObject:
    """One record that a run has dealt with."""

    number: int
    """The next page goes on behind it."""
    connection: str
    entity: str
    remote_id: str
    """Empty: there is none, or not yet."""
    link_id: str
    """Empty: the bridge knows no ticket of it."""
    act: str
    """What was done: a vendor's verb, `create`, how it differed, or a kind of work."""
    state: ObjectState
    outcome: str
    """In the ledger's word, or why it is as it is; empty: it is under way."""
    at: datetime
    fields: list[str] = field(default_factory=list)
    sent: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)


def page(
    tx: Tx,
    run_id: int,
    kind: ObjectKind,
    *,
    state: ObjectState | None = None,
    after: int = 0,
    limit: int,
) -> list[RunObject]:
    """Return a run's records of a kind in their order, from behind a number on."""
    return _PAGES[kind](tx, run_id, state, after, limit)


def has(tx: Tx, run_id: int) -> list[ObjectKind]:
    """Return the kinds of which a run has any."""
    kinds: list[ObjectKind] = ["wrote", "made", "found", "left"]
    return [kind for kind in kinds if page(tx, run_id, kind, limit=1)]


def connections(tx: Tx, run_id: int) -> set[str]:
    """Return the connections that a run has written to, or may have."""
    sent = select(attempt.c.connection).where(
        attempt.c.run_id == run_id,
        attempt.c.outcome.is_(None) | (attempt.c.outcome != "refused"),
    )
    made = select(create_intent.c.connection).where(
        create_intent.c.run_id == run_id, create_intent.c.outcome == "created"
    )
    return set(tx.execute(sent.distinct()).scalars()) | set(tx.execute(made.distinct()).scalars())


def count_written(tx: Tx, run_id: int) -> tuple[int, int]:
    """Count the records that a run made, and its writes that were not certainly refused."""
    made = select(func.count()).where(
        create_intent.c.run_id == run_id, create_intent.c.outcome == "created"
    )
    wrote = select(func.count()).where(
        attempt.c.run_id == run_id,
        attempt.c.outcome.is_(None) | (attempt.c.outcome != "refused"),
    )
    return tx.execute(made).scalar_one(), tx.execute(wrote).scalar_one()


def _wrote(
    tx: Tx, run_id: int, state: ObjectState | None, after: int, limit: int
) -> list[RunObject]:
    fits = [attempt.c.run_id == run_id, attempt.c.number > after]
    fits += _in_state(state, attempt.c.outcome, "done")
    rows = (
        select(attempt, side.c.entity, side.c.remote_id)
        .join(side, side.c.id == attempt.c.side_id)
        .where(*fits)
        .order_by(attempt.c.number)
        .limit(limit)
    )
    found = []
    for row in tx.execute(rows):
        wrote = link_codec.to_attempt(row.detail)
        found.append(
            RunObject(
                number=row.number,
                connection=row.connection,
                entity=row.entity,
                remote_id=row.remote_id,
                link_id=row.link_id,
                act=row.verb,
                state=_state_of(row.outcome, "done"),
                outcome=row.outcome or "",
                at=row.closed_at or row.opened_at,
                fields=list(wrote.sent),
                sent=dict(wrote.sent),
                before=dict(wrote.before),
            )
        )
    return found


def _made(
    tx: Tx, run_id: int, state: ObjectState | None, after: int, limit: int
) -> list[RunObject]:
    fits = [create_intent.c.run_id == run_id, create_intent.c.number > after]
    fits += _in_state(state, create_intent.c.outcome, "created")
    rows = select(create_intent).where(*fits).order_by(create_intent.c.number).limit(limit)
    return [
        RunObject(
            number=row.number,
            connection=row.connection,
            entity=row.entity,
            remote_id=row.remote_id or "",
            link_id=row.link_id,
            act="create",
            state=_state_of(row.outcome, "created"),
            outcome=row.outcome or "",
            at=row.closed_at or row.opened_at,
            fields=list(row.draft["sent"]),
            sent=dict(row.draft["sent"]),
        )
        for row in tx.execute(rows)
    ]


def _in_state(
    state: ObjectState | None, outcome: ColumnElement[Any], good: str
) -> list[ColumnElement[bool]]:
    if state is None:
        return []
    if state == "under way":
        return [outcome.is_(None)]
    return [outcome == good if state == "done" else outcome != good]


def _state_of(outcome: str | None, good: str) -> ObjectState:
    if outcome is None:
        return "under way"
    return "done" if outcome == good else "not done"


def _found(
    tx: Tx, run_id: int, state: ObjectState | None, after: int, limit: int
) -> list[RunObject]:
    fits = [drift.c.run_id == run_id, drift.c.id > after]
    if state is not None:
        healed = drift.c.healed_at.is_not(None)
        fits.append(healed if state == "done" else ~healed)
    rows = select(drift).where(*fits).order_by(drift.c.id).limit(limit)
    return [
        RunObject(
            number=row.id,
            connection=row.connection,
            entity=row.entity,
            remote_id=row.remote_id,
            link_id="",
            act=row.kind,
            state="done" if row.healed_at is not None else "under way",
            outcome=row.why,
            at=row.healed_at or row.found_at,
            fields=list(row.fields),
        )
        for row in tx.execute(rows)
    ]


def _left(
    tx: Tx, run_id: int, state: ObjectState | None, after: int, limit: int
) -> list[RunObject]:
    fits = [work.c.run_id == run_id, work.c.id > after]
    if state is not None:
        parked = work.c.parked_at.is_not(None)
        fits.append(parked if state == "not done" else ~parked)
    rows = select(work).where(*fits).order_by(work.c.id).limit(limit if state != "done" else 0)
    return [
        RunObject(
            number=row.id,
            connection=row.connection,
            entity=row.entity,
            remote_id=row.remote_id or "",
            link_id=row.link_id or "",
            act=row.kind,
            state="under way" if row.parked_at is None else "not done",
            outcome=row.parked_why if row.parked_at is not None else row.last_error,
            at=row.parked_at or row.due_at,
        )
        for row in tx.execute(rows)
    ]


_PAGES = {"wrote": _wrote, "made": _made, "found": _found, "left": _left}
