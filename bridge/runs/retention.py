"""Retention: the ledger forgets what nobody needs any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bridge.ledger import (
    drift_findings,
    history,
    mapping_drafts,
    notice_outbox,
    run_records,
    surveys,
    unknown_parts,
    vendor_calls,
    webhook_inbox,
)
from bridge.ledger.database import Ledger

KEEP_SETTLED: Final = timedelta(days=30)
"""How long settled webhooks, finished runs, what they found, drafts of mappings and notices are
kept."""
KEEP_SURVEYS: Final = timedelta(days=1)
"""A survey that is this old has long ceased to be of use to an import."""
KEEP_CALLS: Final = timedelta(hours=24)
"""How long calls to vendors are kept."""
MOST_CALLS: Final = 10_000
"""So many of one connection, the newest."""
CALLS_AT_ONCE: Final = 2_000
"""In one transaction."""
NOTICES_AT_ONCE: Final = 500
MAX_TRANSACTIONS: Final = 50
"""So many of one table may delete rows in one pruning: the clock must not stand still over it."""


def prune(ledger: Ledger, now: datetime, keep_history: timedelta) -> None:
    """Forget settled webhooks and finished runs, and later what tickets went through."""
    settled_before = now - KEEP_SETTLED
    with ledger.transaction() as tx:
        webhook_inbox.prune(tx, settled_before)
        run_records.prune(tx, settled_before)
        drift_findings.prune(tx, settled_before)
        unknown_parts.prune(tx, now - keep_history)
        surveys.prune(tx, now - KEEP_SURVEYS)
        mapping_drafts.prune(tx, settled_before)
    for _ in range(MAX_TRANSACTIONS):
        with ledger.transaction() as tx:
            if not notice_outbox.prune(tx, settled_before, NOTICES_AT_ONCE):
                break
    for table in history.PRUNABLE:
        _prune_table(ledger, table, now - keep_history)


def prune_calls(ledger: Ledger, now: datetime) -> None:
    """Forget calls to vendors by age and by number."""
    for _ in range(MAX_TRANSACTIONS):
        with ledger.transaction() as tx:
            gone = vendor_calls.prune(tx, now - KEEP_CALLS, MOST_CALLS, CALLS_AT_ONCE)
        if gone < CALLS_AT_ONCE:
            return


def _prune_table(ledger: Ledger, table: history.PrunableTable, before: datetime) -> None:
    """Forget one table's old rows, a batch a transaction; what is left over can wait."""
    after: int | None = 0
    transactions_left = MAX_TRANSACTIONS
    while after is not None and transactions_left:
        with ledger.transaction() as tx:
            gone, after = history.prune(tx, table, before, after)
        # Only what deletes counts: to pass over rows that stay is quick.
        transactions_left -= bool(gone)
