"""A ledger's copy in memory, for playing things through, and what is read from it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, func, select, update

from bridge.ledger import tables
from bridge.ledger.database import Ledger, Tx

LEFT_OUT: Final = frozenset({"inbox", "journal", "audit", "drift", "figure", "tally"})
OWN_JOBS: Final = ("reconcile", "backfill", "undo", "figures")


def copied(ledger: Ledger, *, live: bool) -> Ledger:
    """Copy what matters of a ledger into memory, and free it from whoever works on the original."""
    copy = Ledger("sqlite://")
    copy.upgrade()
    with ledger.read() as source, copy.transaction() as target:
        for table in tables.metadata.sorted_tables:
            if table.name in LEFT_OUT or (table.name == "connection_health" and not live):
                continue
            result = source.execute(select(table))
            while rows := result.fetchmany(500):
                target.execute(table.insert(), [dict(row._mapping) for row in rows])  # noqa: SLF001 - SQLAlchemy's own
        target.execute(delete(tables.work).where(tables.work.c.kind.in_(OWN_JOBS)))
        target.execute(update(tables.work).values(claimed_by=None, claimed_until=None, run_id=None))
        target.execute(update(tables.link).values(lease_owner=None, lease_until=None))
        ended = {"finished_at": tables.run.c.progress_at}
        target.execute(update(tables.run).where(tables.run.c.finished_at.is_(None)).values(ended))
    return copy


def told(tx: Tx, kinds: Collection[str]) -> Counter[tuple[str, str, str, str]]:
    """Count the journal's lines of these kinds, by kind, connection, field and reason."""
    journal = tables.journal.c
    lines = select(journal.kind, journal.connection, journal.field, journal.detail).where(
        journal.kind.in_(kinds)
    )
    return Counter(
        (row.kind, row.connection, row.field, str((row.detail or {}).get("why", "")))
        for row in tx.execute(lines)
    )


def parked(tx: Tx) -> Counter[tuple[str, str]]:
    """Count the work that is set aside, by connection and cause."""
    work = tables.work.c
    of = (work.connection, work.parked_cause)
    rows = tx.execute(select(*of, func.count()).where(work.parked_at.is_not(None)).group_by(*of))
    return Counter({(connection, cause): number for connection, cause, number in rows})


def unmapped(tx: Tx) -> Counter[tuple[str, str]]:
    """Count the agents whom the directory does not know, by connection and name."""
    of = (tables.unmapped.c.connection, tables.unmapped.c.who)
    rows = tx.execute(select(*of, func.count()).group_by(*of))
    return Counter({(connection, who): number for connection, who, number in rows})
