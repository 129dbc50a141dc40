"""The timeline: everything that happened to a link, and the stream over all links."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bridge.core.model.outcome_codes import of_entry
from bridge.core.model.state import Note
from bridge.ledger.database import Tx
from bridge.ledger.tables import journal


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of a timeline."""

    id: int
    link_id: str
    at: datetime
    kind: str
    connection: str
    field: str
    detail: dict[str, Any]

    @property
    def code(self) -> str:
        """The outcome code; empty when it tells of nothing that was left out."""
        return of_entry(self.kind, self.detail)


_ADD = journal.insert()


def add(tx: Tx, link_id: str, at: datetime, notes: Iterable[Note]) -> None:
    """Append notes to a link's timeline."""
    entries = [
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
    if entries:
        tx.execute(_ADD, entries)


def timeline(tx: Tx, link_id: str) -> list[TimelineEntry]:
    """Return everything that happened to a link, in order."""
    entries = select(journal).where(journal.c.link_id == link_id).order_by(journal.c.id)
    return [TimelineEntry(**row) for row in tx.execute(entries).mappings()]


def after(tx: Tx, entry_id: int, limit: int = 500) -> list[TimelineEntry]:
    """Return the entries of all links after that entry: the live stream."""
    entries = select(journal).where(journal.c.id > entry_id).order_by(journal.c.id).limit(limit)
    return [TimelineEntry(**row) for row in tx.execute(entries).mappings()]


def newest(tx: Tx) -> int:
    """Return the id of the newest entry; 0 when there is none."""
    return tx.execute(select(journal.c.id).order_by(journal.c.id.desc()).limit(1)).scalar() or 0
