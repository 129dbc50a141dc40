"""Start a scheduled or requested reconciliation of one connection."""

from __future__ import annotations

from bridge import wiring


def run(connection: str, kind: str) -> None:
    """Write the run into the ledger; the drains carry it out and resume it wherever it stopped."""
    wiring.current().start_run(connection, kind)
