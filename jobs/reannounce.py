"""Job: ring again for what is due in the ledger, for callers from outside.

The clock does this by itself, without this job (bridge/clock_loop.py).
"""

from __future__ import annotations

from bridge import wiring


def run() -> None:
    """Ring if work is due."""
    wiring.current().announce()
