"""Job: forget what the ledger no longer has to keep."""

from __future__ import annotations

from bridge import wiring


def run() -> None:
    """Prune once."""
    wiring.current().prune()
