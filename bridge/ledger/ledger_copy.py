"""Copies a ledger into memory for dry runs, and reads the results of such a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, func, select, update

from bridge.core.model.outcome_codes import Code, of_cause
from bridge.ledger import table_rows, tables
from bridge.ledger.database import Ledger, Tx

NOT_COPIED: Final = frozenset(
    {"inbox", "journal", "audit", "drift", "figure", "tally", "configuration", "process"}
    | {"survey", "surveyed_key"}
)
OF_LIVE: Final = frozenset({"connection_health", "catch_up"})
"""What concerns live systems alone."""
JOB_KINDS: Final = ("reconcile", "backfill", "undo", "figures", "survey")
"""Work of long jobs; a dry run starts its own."""


def copied(ledger: Ledger, *, live: bool) -> Ledger:
    """Copy a ledger into memory, without history, claims, leases and long jobs.

    `live` also copies the health of the connections, and what there is to catch up with.
    """
    copy = Ledger("sqlite://")
    copy.upgrade()
    with ledger.read() as source, copy.transaction() as target:
        table_rows.copy(source, target, NOT_COPIED if live else NOT_COPIED | OF_LIVE)
        target.execute(delete(tables.work).where(tables.work.c.kind.in_(JOB_KINDS)))
        target.execute(update(tables.work).values(run_id=None))
        give_back_claims(target)
        ended = {"finished_at": tables.run.c.progress_at}
        target.execute(update(tables.run).where(tables.run.c.finished_at.is_(None)).values(ended))
    return copy


def give_back_claims(tx: Tx) -> None:
    """Give back all claims and leases: whoever held them does not work on this copy."""
    tx.execute(update(tables.work).values(claimed_by=None, claimed_until=None))
    tx.execute(update(tables.link).values(lease_owner=None, lease_until=None))


def notes(
    tx: Tx, kinds: Collection[str], without: Collection[Code]
) -> Counter[tuple[str, str, str, str]]:
    """Count the journal's entries of these kinds, by kind, connection, field and reason.

    Entries with an outcome code that is listed in `without` are left out.
    """
    journal = tables.journal.c
    entries = select(journal.kind, journal.connection, journal.field, journal.detail).where(
        journal.kind.in_(kinds)
    )
    return Counter(
        (row.kind, row.connection, row.field, str((row.detail or {}).get("why", "")))
        for row in tx.execute(entries)
        if (row.detail or {}).get("code") not in without
    )


def parked(tx: Tx) -> Counter[tuple[str, Code]]:
    """Count the parked work, by connection and outcome code."""
    work = tables.work.c
    by = (work.connection, work.parked_cause)
    rows = tx.execute(select(*by, func.count()).where(work.parked_at.is_not(None)).group_by(*by))
    counted: Counter[tuple[str, Code]] = Counter()
    for connection, cause, number in rows:
        counted[connection, of_cause(cause)] += number
    return counted


def unmapped(tx: Tx) -> Counter[tuple[str, str]]:
    """Count the links that show each stranger, by connection and name."""
    by = (tables.unmapped.c.connection, tables.unmapped.c.who)
    rows = tx.execute(select(*by, func.count()).group_by(*by))
    return Counter({(connection, who): number for connection, who, number in rows})
