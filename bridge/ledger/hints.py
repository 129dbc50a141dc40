"""Hints that a record may have changed; however many come, reading it is one piece of work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import select

from bridge.core.model.values import Ref
from bridge.ledger import tables, work
from bridge.ledger.database import Tx
from bridge.ledger.work import NewWork

KIND = "observe"
"""The kind of such work; `bridge/procedures.py` has the table of who does which kind."""


def key(ref: Ref) -> str:
    """Return the key of the work of reading a record."""
    return f"{KIND}:{ref.connection}:{ref.entity}:{ref.id}"


class HintOptions(TypedDict, total=False):
    """What there may be to say of a hint; see `work.enqueue`."""

    lane: str
    payload: dict[str, Any] | None
    unpark: bool
    run_id: int | None
    handle: str
    """See `connectors.contract.Record.handle`."""


def wanted(
    ref: Ref, now: datetime, *, due_at: datetime | None = None, **options: Unpack[HintOptions]
) -> NewWork:
    """Return the work of reading a record, due now if nothing else is said."""
    return NewWork(
        kind=KIND,
        key=key(ref),
        connection=ref.connection,
        entity=ref.entity,
        remote_id=ref.id,
        due_at=due_at or now,
        now=now,
        **options,
    )


def give(
    tx: Tx,
    ref: Ref,
    now: datetime,
    *,
    due_at: datetime | None = None,
    **options: Unpack[HintOptions],
) -> None:
    """Enqueue the reading of a record, due now if nothing else is said."""
    work.enqueue_all(tx, [wanted(ref, now, due_at=due_at, **options)])


def are_open(tx: Tx, refs: Iterable[Ref]) -> bool:
    """Return whether any of these records is still to be read, by work that is not parked."""
    rows = select(tables.work.c.id).where(tables.work.c.key.in_([key(ref) for ref in refs]))
    return tx.execute(rows.where(tables.work.c.parked_at.is_(None)).limit(1)).first() is not None
