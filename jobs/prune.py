"""Job: forget what the ledger no longer has to keep, for callers from outside.

The clock does this by itself, without Redis (bridge/clock_loop.py).
"""

from __future__ import annotations

from bridge import wiring


def run() -> None:
    """Prune once."""
    wiring.current().prune()
