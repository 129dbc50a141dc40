"""Differences that reconciliation found lately, and the share that no webhook had told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bridge.ledger import drift_findings
from bridge.ledger.drift_findings import Drifted, MissRate
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class Drift:
    """What differed. Its fields, and theirs, are the keys of `bridge drift --json`."""

    rates: list[MissRate]
    """By day and connection."""
    found: list[Drifted]
    """The newest first."""


def recent(desk: Desk, connection: str | None = None, *, days: int = 7, limit: int = 20) -> Drift:
    """Return the latest drift of a connection, or of all. Raises UnknownName."""
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.transaction() as tx:
        drift_findings.mark_untold(tx)  # since the last run the first webhook may have come
        return Drift(
            rates=drift_findings.rates(tx, desk.now() - timedelta(days=days), connection),
            found=drift_findings.recent(tx, connection=connection, limit=limit),
        )


def missed_share(rate: MissRate) -> float:
    """Return the part of a day's findings that no webhook told of, from 0 to 1."""
    return rate.missed / rate.found if rate.found else 0.0
