"""The timeline of each link."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bridge.core.model.state import Note
from bridge.ledger.database import Tx
from bridge.ledger.tables import journal


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a timeline, or of the stream over all links."""

    id: int
    link_id: str
    at: datetime
    kind: str
    connection: str
    field: str
    detail: dict[str, Any]


_ADD = journal.insert()


def add(tx: Tx, link_id: str, at: datetime, notes: Iterable[Note]) -> None:
    """Append notes to a link's timeline."""
    lines = [
        {
            "link_id": link_id,
            "at": at,
            "kind": note.kind,
            "connection": note.connection,
            "field": note.field,
            "detail": note.detail,
        }
        for note in notes
    ]
    if lines:
        tx.execute(_ADD, lines)


def timeline(tx: Tx, link_id: str) -> list[TimelineEntry]:
    """Give everything that happened to a link, in order."""
    found = select(journal).where(journal.c.link_id == link_id).order_by(journal.c.id)
    return [TimelineEntry(**row) for row in tx.execute(found).mappings()]


def after(tx: Tx, line_id: int, limit: int = 500) -> list[TimelineEntry]:
    """Give what happened to any link after that line: the live stream."""
    found = select(journal).where(journal.c.id > line_id).order_by(journal.c.id).limit(limit)
    return [TimelineEntry(**row) for row in tx.execute(found).mappings()]


def newest(tx: Tx) -> int:
    """Give the id of the newest line; 0 when there is none."""
    return tx.execute(select(journal.c.id).order_by(journal.c.id.desc()).limit(1)).scalar() or 0
