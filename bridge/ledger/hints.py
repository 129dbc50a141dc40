"""Hints that a record may have changed; however many come, reading it is one piece of work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bridge.core.model.values import Ref
from bridge.ledger import tables, work
from bridge.ledger.database import Tx

KIND = "observe"
"""The kind of such work. `flow/observe.py` does it; bridge/procedures.py has the table of kinds."""


def key(ref: Ref) -> str:
    """Return the key of the work of reading a record."""
    return f"{KIND}:{ref.connection}:{ref.entity}:{ref.id}"


def give(
    tx: Tx,
    ref: Ref,
    now: datetime,
    *,
    lane: str = "live",
    due_at: datetime | None = None,
    payload: dict[str, Any] | None = None,
    unpark: bool = True,
    run_id: int | None = None,
    handle: str = "",
) -> None:
    """Enqueue the reading of a record; see `work.enqueue` for the options.

    `handle`: see `connectors.contract.Record.handle`.
    """
    work.enqueue(
        tx,
        kind=KIND,
        key=key(ref),
        connection=ref.connection,
        entity=ref.entity,
        remote_id=ref.id,
        lane=lane,
        due_at=due_at or now,
        now=now,
        payload=payload,
        unpark=unpark,
        run_id=run_id,
        handle=handle,
    )


def are_open(tx: Tx, refs: Iterable[Ref]) -> bool:
    """Return whether any of these records is still to be read, by work that is not parked."""
    rows = select(tables.work.c.id).where(tables.work.c.key.in_([key(ref) for ref in refs]))
    return tx.execute(rows.where(tables.work.c.parked_at.is_(None)).limit(1)).first() is not None
