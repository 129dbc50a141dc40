"""Upkeep of the ledger: claims of dead workers are freed, the account of webhooks is checked."""

from __future__ import annotations

import logging
from datetime import datetime

from bridge.engine import worker_identity
from bridge.ledger import takeover, webhook_inbox
from bridge.ledger.database import Ledger

log = logging.getLogger("bridge")


def free_dead_claims(ledger: Ledger, now: datetime) -> int:
    """Free what workers of this machine held that are certainly dead; returns how much."""
    with ledger.transaction() as tx:
        freed = takeover.release_dead(tx, now, worker_identity.is_dead)
    if freed:
        log.warning("freed %d pieces of work of workers that are dead", freed)
    return freed


def check_webhook_account(ledger: Ledger) -> None:
    """Log an error when a webhook that was accepted is accounted for nowhere."""
    with ledger.read() as tx:
        account = webhook_inbox.account(tx)
    if not account.balanced:
        log.error("the account of webhooks does not add up: %s; see `bridge doctor`", account)
