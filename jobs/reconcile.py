"""Job: start a scheduled or requested reconciliation of one connection."""

from __future__ import annotations

from bridge import wiring


def run(connection: str, kind: str) -> None:
    """Store the run in the ledger; the workers carry it out, and go on wherever it stopped."""
    wiring.current().start_run(connection, kind)
