"""Drafts of mappings: what somebody has typed and not published yet, kept until they do or do not.

A draft says of the files that differ what they are to be; the rest is as in the revision that it
was made from. Each time it is stored its version grows, so that nobody overwrites what they have
not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from bridge.ledger.database import Tx
from bridge.ledger.tables import mapping_draft

Changes = Mapping[str, str | None]
"""File name below mappings/ -> its text; None: the draft takes the file away."""


@dataclass(frozen=True, slots=True)
class MappingDraft:
    """One draft."""

    id: int
    author: str
    """Who stored it last, as the audit names them."""
    base: int
    """The revision that it was made from; 0: there was none."""
    replaces: bool
    """It takes the place of whatever is in force: what others published is not merged in."""
    note: str
    changes: Changes = field(repr=False)
    version: int
    made_at: datetime
    changed_at: datetime


def add(
    tx: Tx,
    changes: Changes,
    *,
    author: str,
    base: int,
    replaces: bool,
    note: str,
    now: datetime,
) -> MappingDraft:
    """Store a new draft and return it."""
    row: dict[str, Any] = {
        "author": author,
        "base": base,
        "replaces": replaces,
        "note": note,
        "changes": dict(changes),
        "version": 1,
        "made_at": now,
        "changed_at": now,
    }
    added = tx.execute(mapping_draft.insert().values(row).returning(mapping_draft.c.id))
    return MappingDraft(id=added.scalar_one(), **row)


def store(
    tx: Tx,
    draft_id: int,
    version: int,
    changes: Changes,
    *,
    author: str,
    base: int,
    note: str,
    now: datetime,
) -> bool:
    """Store what a draft is now; return False, and store nothing, where its version has grown."""
    values = {"changes": dict(changes), "author": author, "base": base, "note": note}
    its = (mapping_draft.c.id == draft_id, mapping_draft.c.version == version)
    stored = update(mapping_draft).where(*its)
    stored = stored.values(values | {"version": version + 1, "changed_at": now})
    return tx.execute(stored).rowcount == 1


def get(tx: Tx, draft_id: int) -> MappingDraft | None:
    """Return a draft; None: there is none (any more)."""
    if not 0 < draft_id < 1 << 31:
        return None
    found = select(mapping_draft).where(mapping_draft.c.id == draft_id)
    row = tx.execute(found).mappings().first()
    return None if row is None else MappingDraft(**row)


def newest(tx: Tx, limit: int) -> list[MappingDraft]:
    """Return the drafts that were stored last, the latest first."""
    rows = select(mapping_draft).order_by(mapping_draft.c.changed_at.desc(), mapping_draft.c.id)
    return [MappingDraft(**row) for row in tx.execute(rows.limit(limit)).mappings()]


def count(tx: Tx) -> int:
    """Count the drafts; there are never many."""
    return tx.execute(select(func.count()).select_from(mapping_draft)).scalar_one()


def drop(tx: Tx, draft_id: int) -> bool:
    """Forget a draft; return whether it was there."""
    return tx.execute(delete(mapping_draft).where(mapping_draft.c.id == draft_id)).rowcount == 1


def prune(tx: Tx, before: datetime) -> None:
    """Forget drafts that nobody has stored since a time."""
    tx.execute(delete(mapping_draft).where(mapping_draft.c.changed_at < before))
