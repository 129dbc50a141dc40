"""The timeline: everything that happened to a link, and the stream over all links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Insert

from bridge.core.model.outcome_codes import of_entry
from bridge.core.model.state import Note
from bridge.ledger.database import Tx, insert_for
from bridge.ledger.json_rows import Rows
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


@dataclass(frozen=True, slots=True)
class Told:
    """Lines for a link's timeline."""

    link_id: str
    at: datetime
    notes: Sequence[Note]


def add(tx: Tx, link_id: str, at: datetime, notes: Sequence[Note]) -> None:
    """Append lines to a link's timeline."""
    add_all(tx, [Told(link_id, at, notes)])


def add_all(tx: Tx, told: Iterable[Told]) -> None:
    """Append lines to timelines."""
    rows = [
        (each.link_id, each.at, note.kind, note.connection, note.field, note.detail)
        for each in told
        for note in each.notes
    ]
    if rows:
        tx.execute(_add(tx.dialect.name), _LINES.given(tx, rows))


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


_COLUMNS = ("link_id", "at", "kind", "connection", "field", "detail")
_LINES = Rows.like(journal, *_COLUMNS)


@cache
def _add(dialect: str) -> Insert:
    return insert_for(dialect, journal).from_select(_COLUMNS, select(*_LINES.table(dialect).c))
