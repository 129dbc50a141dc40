"""Upkeep of the ledger: claims of dead workers are freed, the account of webhooks is checked.

And what fails of the clock's duties is stored like a run that fails, so that it is seen.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from bridge.core.mapping.unknown_fields import UnknownFields
from bridge.engine import worker_identity
from bridge.errors import LedgerError
from bridge.ledger import (
    census,
    parking,
    run_records,
    running_processes,
    set_back,
    takeover,
    unknown_parts,
)
from bridge.ledger.database import Ledger

KIND: Final = "upkeep"
START: Final = "start"
"""The same for the start of a process."""

log = logging.getLogger("bridge")


def free_dead_claims(ledger: Ledger, now: datetime) -> int:
    """Free what workers of this machine held that are certainly dead; returns how much."""
    with ledger.transaction() as tx:
        freed = takeover.release_dead(tx, now, worker_identity.is_dead)
    if freed:
        log.warning("freed %d pieces of work of workers that are dead", freed)
    return freed


def free_parked_runs(ledger: Ledger, now: datetime) -> int:
    """Free the work of runs that an older version parked for good; returns how much."""
    with ledger.transaction() as tx:
        freed = parking.free_runs(tx, now)
    if freed:
        log.warning("freed %d runs that an older version had parked", freed)
    return freed


def follow_clock(ledger: Ledger, now: datetime, step: timedelta) -> None:
    """Bring the ledger's times along with a clock that was set back by `step`."""
    with ledger.transaction() as tx:
        set_back.follow(tx, now, step)
    log.warning(
        "the clock was set back by %.0f s, and what waits in the ledger with it",
        step.total_seconds(),
    )


def store_outcome(
    ledger: Ledger, duty: str, now: datetime, error: str = "", *, kind: str = KIND
) -> None:
    """Store how a duty of the clock's or a start ended: what fails is shown until it works."""
    with ledger.transaction() as tx:
        run_records.store_outcome(tx, kind=kind, connection="", entity=duty, now=now, error=error)


def renew_census(ledger: Ledger, now: datetime) -> None:
    """Count what there is in a large ledger, if that was not done lately."""
    with ledger.read() as tx:  # it may take seconds, in which others write
        counts = census.count_due(tx, now)
    if counts:
        with ledger.transaction() as tx:
            census.keep(tx, counts, now)


def check_webhook_account(ledger: Ledger, now: datetime) -> None:
    """Log an error when a webhook that was accepted is accounted for nowhere."""
    with ledger.read() as tx:
        account = census.webhooks(tx, now).account
    if not account.balanced:
        log.error("the account of webhooks does not add up: %s; see `bridge doctor`", account)


def note_seen(
    ledger: Ledger, names: Collection[str], unknown: UnknownFields, now: datetime
) -> bool:
    """Note that processes are at work, and what this one has seen that no file knows.

    Return whether that could be stored.
    """
    with contextlib.suppress(LedgerError), ledger.transaction() as tx:
        for name in names:
            running_processes.seen(tx, name, now)
        unknown_parts.store_due(tx, unknown, now)
        return True
    return False
