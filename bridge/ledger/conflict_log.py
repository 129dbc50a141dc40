"""Conflicts with both values: those that a policy settled, and those open for a human."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update

from bridge.core.model.state import Link, Note
from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import conflict
from bridge.ledger.tables import link as link_table

OPEN = "open"


def disputed(link: Link) -> bool:
    """Return whether the link has an open conflict."""
    return any(state.candidates is not None for state in link.state.values())


def record(tx: Tx, link: Link, notes: Iterable[Note], now: datetime) -> None:
    """Store settled conflicts, and make the open ones exactly those of the link's state."""
    settled = [
        {
            "link_id": link.id,
            "field": note.field,
            "kind": note.kind,
            "connection": note.connection,
            "opened_at": now,
            "closed_at": now,
            "why": str(note.detail.get("why", "")),
            "detail": note.detail,
            "resolution": "policy",
        }
        for note in notes
    ]
    if settled:
        tx.execute(conflict.insert(), settled)
    disputed_fields = {
        name: state for name, state in link.state.items() if state.candidates is not None
    }
    tx.execute(_CLOSE_AGREED, {"of": link.id, "disputed": list(disputed_fields), "now": now})
    for name, state in disputed_fields.items():
        changes = {
            "why": state.why_open,
            "detail": {"candidates": state.candidates, "state": state.value},
        }
        statement = insert(tx, conflict).values(
            link_id=link.id, field=name, kind=OPEN, connection="", opened_at=now, **changes
        )
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["link_id", "field"],
                index_where=conflict.c.closed_at.is_(None),
                set_=changes,
            )
        )


_CLOSE_AGREED = (
    update(conflict)
    .where(
        conflict.c.link_id == bindparam("of"),
        conflict.c.closed_at.is_(None),
        conflict.c.field.not_in(bindparam("disputed", expanding=True)),
    )
    .values(closed_at=bindparam("now"), resolution="agreed")
)


def close(tx: Tx, link_id: str, field: str, resolution: str, now: datetime) -> bool:
    """Close an open conflict by an operator's choice; False when there was none."""
    statement = update(conflict).where(
        conflict.c.link_id == link_id, conflict.c.field == field, conflict.c.closed_at.is_(None)
    )
    return bool(tx.execute(statement.values(closed_at=now, resolution=resolution)).rowcount)


def list_open(tx: Tx, limit: int = 200, *, after: int = 0) -> list[dict[str, Any]]:
    """Return the open conflicts, oldest first; those `after` an id."""
    oldest = select(conflict).where(conflict.c.closed_at.is_(None), conflict.c.id > after)
    oldest = oldest.order_by(conflict.c.id).limit(limit)
    return [dict(row) for row in tx.execute(oldest).mappings()]


def count_open(tx: Tx) -> int:
    """Count the open conflicts."""
    return tx.execute(
        select(func.count()).select_from(conflict).where(conflict.c.closed_at.is_(None))
    ).scalar_one()


def of_link(tx: Tx, link_id: str) -> list[dict[str, Any]]:
    """Return one link's conflicts, oldest first."""
    ordered = select(conflict).where(conflict.c.link_id == link_id).order_by(conflict.c.id)
    return [dict(row) for row in tx.execute(ordered).mappings()]


def export(tx: Tx) -> Iterator[dict[str, Any]]:
    """Yield every conflict with its link's sync, oldest first."""
    joined = select(conflict, link_table.c.sync).join(
        link_table, link_table.c.id == conflict.c.link_id
    )
    for row in tx.execute(joined.order_by(conflict.c.id)).mappings():
        yield dict(row)
