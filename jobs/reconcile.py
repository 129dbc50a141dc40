"""Job: start a reconciliation of one connection, for callers from outside.

The bridge's own runs don't come this way: the clock and `bridge reconcile` start them directly.
"""

from __future__ import annotations

from bridge import wiring


def run(connection: str, kind: str) -> None:
    """Store the run in the ledger; the workers carry it out, and go on wherever it stopped."""
    wiring.current().start_run(connection, kind)
